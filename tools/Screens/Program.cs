using System.Globalization;
using Microvm.Screens;

// screens OUT.svg COLUMNS SHOWN WAIT KEYS COMMAND…: runs the command on a pseudo-terminal and draws what it shows.
// SHOWN is the command line as a person would type it (drawn first; empty for a full-screen program); WAIT is in
// seconds, 0 for the end of the program; KEYS are pressed half-way ("" for none).
if (args.Length < 6)
{
    Console.Error.WriteLine("usage: screens OUT.svg COLUMNS SHOWN WAIT KEYS COMMAND…");
    return 2;
}
var columns = int.Parse(args[1], CultureInfo.InvariantCulture);
var wait = TimeSpan.FromSeconds(double.Parse(args[3], CultureInfo.InvariantCulture));
using var terminal = new PseudoTerminal(args[5..], columns, wait > TimeSpan.Zero ? 20 : 60);
if (wait == TimeSpan.Zero)
{
    terminal.Screen.Write(System.Text.Encoding.UTF8.GetBytes($"\e[32m$\e[0m \e[1m{args[2]}\e[0m\r\n"));
    terminal.WaitForExit(TimeSpan.FromMinutes(1));
}
else
{
    terminal.ReadUntil(_ => false, wait / 2);
    terminal.Send(args[4]);
    terminal.ReadUntil(_ => false, wait / 2);
}
File.WriteAllText(args[0], ScreenDrawing.Svg(terminal.Screen, args[2]));
return 0;
