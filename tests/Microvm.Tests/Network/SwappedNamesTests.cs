namespace Microvm.Tests;

/// <summary>Links of ours that somebody renamed: each is known by its alias, and gets its name back, also where another of ours has it.</summary>
public sealed class SwappedNamesTests : IDisposable
{
    private readonly NetworkHost _host = new();
    public void Dispose() => _host.Dispose();

    private void Rename(string from, string to)
    {
        _host.Net.Ip("link", "set", from, "down");
        _host.Net.Ip("link", "set", from, "name", to);
        _host.Net.Ip("link", "set", to, "up");
    }

    [Fact]
    public void Two_whose_names_were_swapped_and_three_in_a_ring_get_them_back_in_place()
    {
        var file = _host.Declare("a", 1, [.. Enumerable.Range(1, 5).Select(i => NetworkHost.Tap($"vm-a{i}"))]);
        _host.Done("up", file);
        string[] Indexes() => [.. Enumerable.Range(1, 5).Select(i => _host.Link($"vm-a{i}").GetProperty("ifindex").ToString())];
        var before = Indexes();
        Rename("vm-a1", "away");
        Rename("vm-a2", "vm-a1");
        Rename("away", "vm-a2");
        Rename("vm-a3", "away");
        Rename("vm-a4", "vm-a3");
        Rename("vm-a5", "vm-a4");
        Rename("away", "vm-a5");
        Assert.NotEqual(before, Indexes());
        _host.Done("up", file);
        Assert.Equal(before, Indexes());
        Assert.All(Enumerable.Range(1, 5), i => Assert.Equal($"microvm:a/vm-a{i}", _host.Link($"vm-a{i}").GetProperty("ifalias").GetString()));
        Assert.Contains("nothing to do", _host.Done("up", file).Out);
    }
}
