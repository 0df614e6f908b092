namespace Microvm.Linux;

/// <summary>The capabilities that we name (linux/capability.h, capabilities(7)); the value is the kernel's number.</summary>
internal enum Capability
{
    /// <summary>CAP_CHOWN: give a file to another user.</summary>
    Chown = 0,

    /// <summary>CAP_DAC_OVERRIDE: read and write any file.</summary>
    DacOverride = 1,

    /// <summary>CAP_DAC_READ_SEARCH: read any file, and list any directory.</summary>
    DacReadSearch = 2,

    /// <summary>CAP_FOWNER: change the mode of another user's file.</summary>
    Fowner = 3,

    /// <summary>CAP_KILL: signal another user's process.</summary>
    Kill = 5,

    /// <summary>CAP_SETGID and CAP_SETUID: become other groups and another user.</summary>
    SetGid = 6,

    /// <inheritdoc cref="SetGid"/>
    SetUid = 7,

    /// <summary>CAP_SETPCAP: drop from the bounding set and set the secure bits.</summary>
    SetPcap = 8,

    /// <summary>CAP_NET_BIND_SERVICE: ports below 1024.</summary>
    NetBindService = 10,

    /// <summary>CAP_NET_ADMIN: make and change links.</summary>
    NetAdmin = 12,

    /// <summary>CAP_NET_RAW: packet sockets.</summary>
    NetRaw = 13,

    /// <summary>CAP_SYS_PTRACE: look into other users' processes.</summary>
    SysPtrace = 19,

    /// <summary>CAP_SYS_ADMIN: enter a network namespace, among much else.</summary>
    SysAdmin = 21,

    /// <summary>CAP_MKNOD: make a device node.</summary>
    Mknod = 27,

    /// <summary>CAP_SETFCAP: set file capabilities; root needs it to map itself into a user namespace (user_namespaces(7)).</summary>
    SetFcap = 31,
}

/// <summary>A set of capabilities, as the kernel's 64 bits.</summary>
/// <param name="Bits">Bit n stands for capability n.</param>
internal readonly record struct CapabilitySet(ulong Bits)
{
    /// <summary>The set of these.</summary>
    public static CapabilitySet Of(params ReadOnlySpan<Capability> capabilities)
    {
        var bits = 0ul;
        foreach (var capability in capabilities)
        {
            bits |= 1ul << (int)capability;
        }
        return new(bits);
    }

    /// <summary>Whether the capability is in the set.</summary>
    public bool Has(Capability capability) => (Bits >> (int)capability & 1) != 0;
}
