return Microvm.Cli.CommandLine.Run(args);
