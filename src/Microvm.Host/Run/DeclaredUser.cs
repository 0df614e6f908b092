using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary><c>microvm.user</c>: the user whom <c>run</c> becomes when root starts it. We switch before the hypervisor is started, so it
/// works with every one of them, and what they would need root for is opened by then.</summary>
internal static class DeclaredUser
{
    /// <summary>The user to become, or null where that is us already, or nobody is declared.</summary>
    /// <exception cref="IOException">There is no such user, or we are not root; or the person behind sudo is another.</exception>
    public static PosixUser? Find(MicrovmConfig vm)
    {
        if (vm.User is not { } name)
        {
            return null;
        }
        var user = PosixUser.Find(name) ?? throw new IOException($"there is no user '{name}' on this host, that microvm.user names to run the hypervisor");
        if (PosixProcess.EffectiveUser == 0 && Caller.User != 0)
        {
            // Behind sudo: who may run this may not for that reason become everybody.
            return user.Id == Caller.User ? null
                : throw new IOException($"microvm.user is '{name}', and whether you may become that user is for sudo to say: sudo -u {Shell.Quote(name)} microvm run FILE; 'sudo microvm up FILE' gives the links to that user");
        }
        return user.Id == PosixProcess.EffectiveUser ? null
            : PosixProcess.EffectiveUser == 0 ? user
            : throw new IOException($"microvm.user is '{name}', and only root can become another user; start it with sudo or as '{name}', or leave microvm.user out");
    }
}
