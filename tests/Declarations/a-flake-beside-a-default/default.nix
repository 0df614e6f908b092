(import (fetchTarball "https://example.org/flake-compat.tar.gz") { src = ./.; }).defaultNix
