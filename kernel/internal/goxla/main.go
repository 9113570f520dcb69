// Command goxla runs go-xla's own installer of XLA's CPU plugin, into the folder
// go-xla below its argument.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gomlx/go-xla/installer"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: goxla FOLDER")
		os.Exit(2)
	}
	// Where its host is out of reach this fails in seconds, and another way is tried.
	// Once the answer has begun the download may take its time.
	http.DefaultTransport = &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 15 * time.Second,
	}
	folder := filepath.Join(os.Args[1], "go-xla")
	err := os.MkdirAll(folder, 0o755)
	if err == nil {
		err = installer.CPUAutoInstall(folder, false, installer.Quiet)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
