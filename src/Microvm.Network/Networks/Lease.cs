using System.Globalization;
using System.Net;

namespace Microvm.Network.Networks;

/// <summary>An address that a guest has been given for a time.</summary>
/// <param name="Mac">Of IPv4; of an IPv6 lease dnsmasq keeps another identity.</param>
/// <param name="Expires">Null: never.</param>
internal sealed record Lease(string Mac, IPAddress Address, string? Host, DateTimeOffset? Expires)
{
    internal const string File = "leases";

    /// <summary>All of a network, IPv4's first, as dnsmasq wrote them: expiry, MAC or identity, address, name, client id.</summary>
    internal static IReadOnlyList<Lease> All(NetworkFolder folder)
    {
        // Beyond the year 9999, which a lease can't mean, there is no date.
        var latest = DateTimeOffset.MaxValue.AddDays(-1).ToUnixTimeSeconds();
        var leases = new List<Lease>();
        foreach (var line in (folder.Read(File) ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Split(' ') is [var expires, var mac, var address, var host, ..] && long.TryParse(expires, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= latest && IPAddress.TryParse(address, out var ip))
            {
                leases.Add(new(mac, ip, host == "*" ? null : host, seconds == 0 ? null : DateTimeOffset.FromUnixTimeSeconds(seconds)));
            }
        }
        return leases;
    }
}
