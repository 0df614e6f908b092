# The native binary. nix/deps.json locks the NuGet packages; scripts/nix-deps.sh writes it.
{ lib, buildDotnetModule, dotnetCorePackages, clang, zlib }:
buildDotnetModule {
  pname = "microvm-net";
  version = "0.1.0";
  src = lib.cleanSource ../.;
  projectFile = "src/Microvm.Cli/Microvm.Cli.csproj";
  nugetDeps = ./deps.json;
  dotnet-sdk = dotnetCorePackages.sdk_10_0;
  # Native AOT: nothing of .NET is needed to run it.
  dotnet-runtime = null;
  selfContainedBuild = true;
  nativeBuildInputs = [ clang ];
  buildInputs = [ zlib ];
  executables = [ "microvm" ];
  meta = {
    description = "Check, create, watch and delete the network interfaces of MicroVMs, and run the VMs";
    mainProgram = "microvm";
    platforms = lib.platforms.linux;
  };
}
