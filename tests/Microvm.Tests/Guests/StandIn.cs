namespace Microvm.Tests;

/// <summary>The stand-ins of hypervisors in <c>tests/StandIns</c>: what each demands and refuses stands in its README and sources.</summary>
internal static class StandIn
{
    private static readonly Lazy<string> s_folder = new(Build);

    /// <summary>The package of each of them (<c>microvm.NAME.package</c>); their programs are in <c>bin</c>.</summary>
    internal static string Folder => s_folder.Value;

    /// <summary>A kernel of the format that a hypervisor boots: the stand-ins look at its first bytes only.</summary>
    internal static string Kernel(string hypervisor) =>
        hypervisor is "cloud-hypervisor" or "firecracker" or "crosvm" ? Elf : BzImage;

    internal static string BzImage => Path.Combine(Binary.Root, "out", "guest", "vmlinuz");
    internal static string Elf => "/bin/true";

    /// <summary>What their interfaces are on: the lower device <c>low0</c>, whose other end is <c>far0</c>, and the bridge <c>br0</c>.</summary>
    internal static void Networks(Namespace net)
    {
        net.Ip("link", "add", "low0", "type", "veth", "peer", "name", "far0");
        net.Ip("link", "set", "low0", "up");
        net.Ip("link", "set", "far0", "up");
        net.Ip("link", "add", "br0", "type", "bridge");
        net.Ip("link", "set", "br0", "up");
    }

    private static string Build()
    {
        var folder = Path.Combine(Binary.Root, "out", "standins");
        var built = Binary.Run(Path.Combine(Binary.Root, "tests", "StandIns", "build.sh"), null, folder);
        Assert.True(built.Code == 0, built.Out + built.Err);
        return folder;
    }
}
