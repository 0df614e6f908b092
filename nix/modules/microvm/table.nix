# Written by scripts/generate.sh from src/Microvm.Declaration/Options; do not edit.
{
  hypervisors = [ "qemu" "cloud-hypervisor" "firecracker" "crosvm" "kvmtool" "stratovirt" "alioth" "vfkit" ];
  declared = {
    hypervisor = null;
    vcpu = null;
    mem = null;
    hugepageMem = null;
    hotplugMem = null;
    hotpluggedMem = null;
    balloon = null;
    initialBalloonMem = null;
    deflateOnOOM = null;
    cpu = null;
    kernel = null;
    initrdPath = null;
    kernelParams = null;
    interfaces = null;
    networks = null;
    assertions = {
      reach = null;
    };
    forwardPorts = null;
    volumes = null;
    shares = null;
    devices = null;
    vsock = {
      cid = null;
      ssh = {
        enable = null;
      };
    };
    credentialFiles = null;
    socket = null;
    user = null;
    preStart = null;
    extraArgsScript = null;
    binScripts = null;
    prettyProcnames = null;
    machineId = null;
    storeOnDisk = null;
    graphics = {
      enable = null;
      backend = null;
      socket = null;
      vulkan = null;
      hostmem = null;
    };
    qemu = {
      machine = null;
      machineOpts = null;
      extraArgs = null;
      serialConsole = null;
      pcieRootPorts = null;
      package = null;
    };
    cloud-hypervisor = {
      platformOEMStrings = null;
      extraArgs = null;
      package = null;
    };
    firecracker = {
      cpu = null;
      driveIoEngine = null;
      extraArgs = null;
      extraConfig = null;
      package = null;
    };
    crosvm = {
      extraArgs = null;
      pivotRoot = null;
      package = null;
    };
    kvmtool = {
      package = null;
    };
    stratovirt = {
      package = null;
    };
    alioth = {
      package = null;
    };
    vfkit = {
      extraArgs = null;
      logLevel = null;
      rosetta = {
        enable = null;
        install = null;
        ignoreIfMissing = null;
      };
      package = null;
    };
    virtiofsd = {
      inodeFileHandles = null;
      threadPoolSize = null;
      group = null;
      extraArgs = null;
      package = null;
    };
    registerWithMachined = null;
  };
  interface = {
    type = null;
    id = null;
    mac = null;
    bridge = null;
    network = null;
    addresses = null;
    egress = {
      allow = null;
      deny = null;
    };
    mtu = null;
    isolated = null;
    antiSpoof = null;
    bridgeHelper = null;
    macvtap = {
      link = null;
      mode = null;
      sourceMacs = null;
    };
    tap = {
      vhost = null;
      txQueueLength = null;
    };
    host = {
      addresses = null;
      routes = null;
    };
    guest = {
      addresses = null;
      gateway = null;
      dns = null;
    };
    user = {
      kernelIp = null;
    };
  };
}
