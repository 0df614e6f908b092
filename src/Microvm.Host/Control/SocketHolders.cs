using System.Net.Sockets;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Control;

/// <summary>Who may be behind a VM's socket. Others may write in its directory, where a group does, and listen there in the hypervisor's
/// place: they would be told what it is to do, and could say that it did. The kernel tells who answers.</summary>
public sealed class SocketHolders
{
    private readonly HashSet<uint> _users;

    private SocketHolders(IEnumerable<uint> users) => _users = [0, PosixProcess.EffectiveUser, .. users];

    /// <summary>Root and the user of this process. The owner of the directory is one in any case: all that lies there is theirs.</summary>
    public static SocketHolders Ours { get; } = new([]);

    /// <summary>Those of a declared VM: the caller behind sudo, the declaration's owner, for root's the user of the units, and <c>microvm.user</c> besides.</summary>
    /// <param name="file">The declaration; - for standard input.</param>
    /// <param name="user"><c>microvm.user</c>; null where none is declared.</param>
    public static SocketHolders Of(string file, string? user)
    {
        List<uint> users = [];
        if (Caller.BehindSudo is { } caller)
        {
            users.Add(caller);
        }
        if (FileStatus.OfTarget(file) is { } declaration)
        {
            users.Add(declaration.User);
            // Root's VMs are the host's, whose units run hypervisors as this user.
            if (declaration.User == 0 && AccountFile.Number(AccountFile.Users, "microvm") is { } unit)
            {
                users.Add(unit);
            }
        }
        if (user is not null && PosixUser.Find(user) is { } declared)
        {
            users.Add(declared.Id);
        }
        return new(users);
    }

    /// <summary>As numbers with commas between, for a process that connects in our place.</summary>
    internal string Words => string.Join(',', _users.Select(u => u.ToString(System.Globalization.CultureInfo.InvariantCulture)));

    /// <summary>Reads <see cref="Words"/>.</summary>
    internal static SocketHolders Parse(string words) => new(words.Split(',').Select(w => uint.Parse(w, System.Globalization.CultureInfo.InvariantCulture)));

    /// <summary>Whether this user may be behind a socket at this path.</summary>
    internal bool Has(uint user, string path) => _users.Contains(user) || FileStatus.OfTarget(Path.GetDirectoryName(Path.GetFullPath(path))!) is { } folder && folder.User == user;

    /// <summary>Asks the kernel who listens, before anything is sent.</summary>
    /// <exception cref="ControlException">It is somebody else.</exception>
    internal void Check(Socket connection, string path)
    {
        var (process, user) = SocketFile.Peer(connection);
        if (!Has(user, path))
        {
            throw new ControlException($"user {user} listens at {Printable.Of(path)}{(process > 0 ? $" (process {process})" : "")}, whose VM that is not, so nothing was asked of it; if it is that user's VM, ask as that user, or set microvm.user");
        }
    }
}
