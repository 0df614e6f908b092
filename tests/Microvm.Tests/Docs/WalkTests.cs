namespace Microvm.Tests;

public sealed class WalkTests
{
    [Fact]
    public void On_a_clean_Debian_an_ordinary_user_gets_from_the_clone_to_a_VM_that_answers_with_the_pages_words_alone()
    {
        if (Environment.GetEnvironmentVariable("MICROVM_TEST_ALL") is null)
        {
            Assert.Skip("A Debian of its own is some minutes' work: ./test.sh --all");
        }
        var walk = Binary.Run("timeout", null, "1800", Path.Combine(Binary.Root, "tests/walk.sh"), Path.Combine(Binary.Root, "out/debian"));
        var said = walk.Out + walk.Err;
        Assert.True(walk.Code == 0, said);
        // Twice: of quickstart.sh, and of the page's own VM.
        Assert.Equal(2, said.Split("3 packets transmitted, 3 received").Length - 1);
        Assert.Contains("ssh leads to web, debian", said, StringComparison.Ordinal);
        Assert.Contains("'web' has shut down", said, StringComparison.Ordinal);
        Assert.DoesNotContain("drifted", said, StringComparison.Ordinal);
        Assert.Matches(@"== walked: 2\d lines typed, nothing left\n$", walk.Out);
    }
}
