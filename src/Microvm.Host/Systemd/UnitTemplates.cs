namespace Microvm.Host.Systemd;

/// <summary>What the unit texts need to know of a host.</summary>
/// <param name="Binary">The path of the <c>microvm</c> binary.</param>
/// <param name="StateDirectory">Where each VM has its directory.</param>
/// <param name="StopTimeout">How long a guest may take to power off before its hypervisor is killed.</param>
public sealed record UnitSettings(string Binary, string StateDirectory, TimeSpan StopTimeout)
{
    /// <summary>The state directory of microvm.nix, and a timeout of 150 seconds as there.</summary>
    public static UnitSettings Default { get; } = new("/usr/local/bin/microvm", "/var/lib/microvms", TimeSpan.FromSeconds(150));
}

/// <summary>The unit texts, kept as files in <c>Units/</c>; rendering is pure.</summary>
public static class UnitTemplates
{
    /// <summary>The file names of all units, in order.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. typeof(UnitTemplates).Assembly.GetManifestResourceNames()
            .Where(n => n.StartsWith("units/", StringComparison.Ordinal) && !n.EndsWith(".conf", StringComparison.Ordinal))
            .Select(n => n["units/".Length..]).Order(StringComparer.Ordinal),
    ];

    /// <summary>What the unit of a VM with such an interface gets. <c>bridge-helper</c>: qemu-bridge-helper has CAP_NET_ADMIN from its
    /// file, and each setting there would forbid that, since all of them imply NoNewPrivileges=. <c>user-network</c>: slirp4netns
    /// joins a user and network namespace of the VM's own, where IPv6 is turned off. <c>own-sandbox</c>: crosvm makes a user, PID, mount
    /// and network namespace and an empty root for each device.</summary>
    public static string DropIn(string name) => Text($"{name}.conf");

    /// <summary>Whether there is such a drop-in.</summary>
    public static bool IsDropIn(string name) => name is "bridge-helper" or "own-sandbox" or "user-network";

    /// <summary>A unit's text for a host.</summary>
    /// <exception cref="ArgumentException">A path holds characters that a unit file would read otherwise.</exception>
    public static string Render(string unit, UnitSettings settings)
    {
        foreach (var path in (string[])[settings.Binary, settings.StateDirectory])
        {
            if (!path.StartsWith('/') || path.Any(c => !char.IsAsciiLetterOrDigit(c) && !"/-_.+@".Contains(c)))
            {
                throw new ArgumentException($"'{Declaration.Printable.Of(path)}' can't stand in a unit file: use an absolute path of letters, digits and / - _ . + @");
            }
        }
        // The hypervisor may be given a kernel or a disk out of somebody's home; nothing else looks there.
        var isVm = unit == "microvm@.service";
        var capabilities = unit is "microvm-macvtap-interfaces@.service" or "microvm-watch@.service" ? "CAP_NET_ADMIN CAP_CHOWN CAP_FOWNER CAP_MKNOD" : "CAP_NET_ADMIN";
        return Text(unit)
            .Replace("@interface-hardening@", Text("interface-hardening.conf").TrimEnd())
            .Replace("@hardening@", Text("hardening.conf").TrimEnd())
            .Replace("@interface-capabilities@", capabilities)
            .Replace("@home@", isVm ? "read-only" : "yes")
            .Replace("@stop-timeout@", $"{settings.StopTimeout.TotalSeconds:0}")
            .Replace("@bin@", settings.Binary)
            .Replace("@state@", settings.StateDirectory.TrimEnd('/'));
    }

    private static string Text(string name)
    {
        using var stream = typeof(UnitTemplates).Assembly.GetManifestResourceStream($"units/{name}")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
