namespace Microvm.Linux;

/// <summary>Named network namespaces, as <c>ip netns</c> keeps them.</summary>
public static class NetworkNamespace
{
    private const int CLONE_NEWNET = 0x40000000, O_CLOEXEC = 0x80000;

    /// <summary>Moves the calling thread into a named namespace (setns(2)); sockets opened after it work there.</summary>
    public static void Enter(string name)
    {
        if (name.Length == 0 || name is "." or ".." || name.Contains('/'))
        {
            throw new ArgumentException($"'{name}' is not the name of a network namespace");
        }
        using var ns = new FileDescriptor((int)Libc.Check(Libc.open($"/run/netns/{name}", O_CLOEXEC), $"open network namespace '{name}'"));
        Libc.Check(Libc.setns(ns.Value, CLONE_NEWNET), $"enter network namespace '{name}'");
    }
}
