using Microvm.Cli;
using Microvm.Linux;

try
{
    return CommandLine.Run(args);
}
catch (Exception)
{
    // Only what goes wrong while an error is told comes here: no memory, mostly. Words that need none, and no stack trace.
    new StandardStream(TerminalDevice.Errors, mustArrive: false).Write("microvm: failed, and the reason could not be printed (out of memory?)\n"u8);
    return 1;
}
