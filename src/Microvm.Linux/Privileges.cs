using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>What this process may do, and giving it up for good.</summary>
/// <remarks>Linux keeps capabilities per thread. The thread that calls here is limited, and every thread and process that it starts
/// afterwards; the one thread that a Native AOT process has besides is the runtime's finalizer.</remarks>
internal static unsafe class Privileges
{
    private const int PR_CAPBSET_DROP = 24, PR_SET_SECUREBITS = 28, PR_SET_NO_NEW_PRIVS = 38, PR_CAP_AMBIENT = 47, PR_CAP_AMBIENT_CLEAR_ALL = 4, SECBIT_NOROOT = 1;
    private const int PR_CAP_AMBIENT_RAISE = 2, SECBIT_KEEP_CAPS_LOCKED = 1 << 5, NoAmbient = 1 << 6 | 1 << 7;
    private const uint LINUX_CAPABILITY_VERSION_3 = 0x20080522;

    /// <summary>NOROOT: user 0 gains nothing by exec. NO_CAP_AMBIENT_RAISE. Both locked, with KEEP_CAPS locked at off.</summary>
    private const int SecureBits = 1 << 0 | 1 << 1 | 1 << 5 | 1 << 6 | 1 << 7;

    /// <summary>The capabilities that the calling thread may use.</summary>
    /// <exception cref="LinuxException">The kernel knows no capabilities.</exception>
    public static CapabilitySet Permitted
    {
        get
        {
            var header = stackalloc uint[2] { LINUX_CAPABILITY_VERSION_3, 0 };
            var data = stackalloc uint[6];
            Libc.Check(Libc.capget(header, data), "read the capabilities");
            return new(data[1] | (ulong)data[4] << 32);
        }
    }

    /// <summary>Has the finalizer thread wait for <see cref="LimitTo"/>. To get there takes a collection of garbage, which is cheapest
    /// before there are objects: to be called first of all. Without it <see cref="LimitTo"/> does the same, at a higher price.</summary>
    public static void CallFinalizerThread() => OnFinalizerThread.Call();

    /// <summary>Ends the wait of the finalizer thread where <see cref="LimitTo"/> was not called: the end of a process may wait for that thread.</summary>
    public static void LetFinalizerThreadGo() => OnFinalizerThread.LetGo();

    /// <summary>As <see cref="Limit"/>, and the finalizer thread gives up all that it may do.</summary>
    /// <param name="lendable">For a command that may have to start programs which need some of these: one that is started while
    /// <see cref="Lend"/> says so has them. <see cref="Shrink"/> ends that.</param>
    /// <exception cref="LinuxException">The kernel refused; what had been given up so far stays given up.</exception>
    public static void LimitTo(CapabilitySet keep, CapabilitySet lendable = default)
    {
        s_lendable = keep.Bits & lendable.Bits;
        Limit(keep);
        OnFinalizerThread.Limit();
    }

    /// <summary>Keeps these alone.</summary>
    /// <param name="lendable">What may be lent from here on, of what could be before.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Shrink(CapabilitySet keep, CapabilitySet lendable = default)
    {
        s_lendable &= keep.Bits & lendable.Bits;
        Set(Permitted.Bits & keep.Bits);
    }

    /// <summary>Programs that the calling thread starts until the result is disposed have these, as far as this process has them.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static IDisposable Lend(CapabilitySet capabilities)
    {
        var bits = capabilities.Bits & Permitted.Bits & s_lendable;
        for (var capability = 0; capability < 64; capability++)
        {
            if ((bits >> capability & 1) != 0)
            {
                Libc.Check(Libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, (nuint)capability, 0, 0), "lend a capability to a program");
            }
        }
        return new Loan();
    }

    private sealed class Loan : IDisposable
    {
        public void Dispose() => _ = Libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    }

    // What a program may inherit once it is lent; capabilities(7) has it that this must be said before the bounding set is emptied.
    private static ulong s_lendable;

    /// <summary>Gives up every capability of the calling thread but these, and every way to gain one: the bounding set is emptied, set-user-ID
    /// and file capabilities have no effect any more (no_new_privs), nothing is inherited by a program that is started. There is no way back.</summary>
    /// <exception cref="LinuxException">The kernel refused; what had been given up so far stays given up.</exception>
    public static void Limit(CapabilitySet keep)
    {
        var held = Permitted;
        if (s_lendable != 0)
        {
            Set(held.Bits);
        }
        if (held.Has(Capability.SetPcap))
        {
            // Ends at the first number that this kernel does not know (EINVAL).
            for (nuint capability = 0; capability < 64 && Libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; capability++)
            {
            }
            // A daemon that is lent capabilities keeps them as it becomes its own user.
            var bits = s_lendable != 0 ? SecureBits & ~(NoAmbient | SECBIT_KEEP_CAPS_LOCKED) : SecureBits;
            Libc.Check(Libc.prctl(PR_SET_SECUREBITS, (nuint)bits, 0, 0, 0), "set the secure bits");
        }
        Libc.Check(Libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "set no_new_privs");
        Libc.Check(Libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "clear the ambient capabilities");
        Set(held.Bits & keep.Bits);
    }

    /// <summary>A first step for a command that starts a hypervisor: keeps these, and no program started from here on gets any, root's neither.
    /// <see cref="Limit"/> or <see cref="LeaveTo"/> has to follow; until then a set-user-ID program still works.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Prepare(CapabilitySet keep)
    {
        var held = Permitted;
        if (held.Has(Capability.SetPcap))
        {
            Libc.Check(Libc.prctl(PR_SET_SECUREBITS, SECBIT_NOROOT, 0, 0, 0), "set the secure bits");
        }
        Libc.Check(Libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "clear the ambient capabilities");
        Set(held.Bits & (keep.Bits | CapabilitySet.Of(Capability.SetPcap).Bits));
    }

    /// <summary>Before another program takes the place of this process: it may at most gain these, by being root or set-user-ID, and this
    /// thread keeps none. For a hypervisor whose own set-user-ID program makes its links.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void LeaveTo(CapabilitySet most)
    {
        if (Permitted.Has(Capability.SetPcap))
        {
            for (nuint capability = 0; capability < 64; capability++)
            {
                if ((most.Bits >> (int)capability & 1) == 0 && Libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
                {
                    break;
                }
            }
            Libc.Check(Libc.prctl(PR_SET_SECUREBITS, 0, 0, 0, 0), "set the secure bits");
        }
        Set(0);
    }

    /// <summary>The calling thread has no effective capability until the result is disposed.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static IDisposable Suspend()
    {
        var held = Permitted.Bits;
        Set(effective: 0, held);
        return new Suspension(held);
    }

    private sealed class Suspension(ulong held) : IDisposable
    {
        public void Dispose() => Set(held, held);
    }

    /// <summary>Leaves for a network namespace in which there is nothing, where this process may make one; stays where it is otherwise.</summary>
    public static void LeaveNetwork()
    {
        const int CLONE_NEWNET = 0x40000000;
        if (Permitted.Has(Capability.SysAdmin))
        {
            _ = Libc.unshare(CLONE_NEWNET);
        }
    }

    private static void Set(ulong bits) => Set(bits, bits);

    private static void Set(ulong effective, ulong permitted)
    {
        var header = stackalloc uint[2] { LINUX_CAPABILITY_VERSION_3, 0 };
        var inheritable = permitted & s_lendable;
        var data = stackalloc uint[6] { (uint)effective, (uint)permitted, (uint)inheritable, (uint)(effective >> 32), (uint)(permitted >> 32), (uint)(inheritable >> 32) };
        Libc.Check(Libc.capset(header, data), "give up capabilities");
    }

    /// <summary>A finalizer runs on the finalizer thread: the one way to have it give up what is its own.</summary>
    private sealed class OnFinalizerThread
    {
        private static readonly ManualResetEventSlim s_told = new(false, spinCount: 0), s_done = new();
        private static bool s_called;
        private static volatile bool s_limited;

        internal static void Call()
        {
            if (!s_called)
            {
                s_called = true;
                Abandon();
                GC.Collect(0, GCCollectionMode.Forced, blocking: true);
            }
        }

        // Not at once when it is called: until the caller's ids are set, which glibc does in all threads alike, it needs what they need.
        internal static void Limit()
        {
            Call();
            LetGo();
            if (!s_done.Wait(TimeSpan.FromSeconds(5)) || !s_limited)
            {
                throw new LinuxException("give up the privileges of the runtime's own thread: it still has them, so nothing is read and nothing done", Errno.EPERM);
            }
        }

        internal static void LetGo() => s_told.Set();

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        private static void Abandon() => _ = new OnFinalizerThread();

        ~OnFinalizerThread()
        {
            s_told.Wait();
            try
            {
                Privileges.Limit(default);
                s_limited = true;
            }
            catch (LinuxException)
            {
                // The thread that waits tells.
            }
            s_done.Set();
        }
    }
}
