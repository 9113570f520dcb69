// Command gopls stands on the kernel's PATH in front of the real gopls, which is in the folder
// above its own. GoNB starts gopls with the kernel, says nothing to it for 12 seconds, then
// opens every file of the checkout in it, and gives up an answer after 8 seconds: on a busy
// machine the first completion came too late. This program opens the session at once, so that
// the packages are loaded while GoNB waits, and leaves out what gopls reads from the disk
// anyway.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gopls:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	front, err := os.Executable()
	if err != nil {
		return err
	}
	real := filepath.Join(filepath.Dir(filepath.Dir(front)), "gopls")
	// GoNB calls it as gopls -listen unix;PATH. Any other call isn't for us.
	if len(args) != 2 || args[0] != "-listen" || !strings.HasPrefix(args[1], "unix;") {
		return syscall.Exec(real, append([]string{"gopls"}, args...), os.Environ())
	}
	folder, err := os.Getwd()
	if err != nil {
		return err
	}
	listener, err := net.Listen("unix", strings.TrimPrefix(args[1], "unix;"))
	if err != nil {
		return err
	}
	server := exec.Command(real, "serve") // it ends when our end of its pipe does
	server.Stderr = os.Stderr
	in, err := server.StdinPipe()
	if err != nil {
		return err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	s := newSession(folder, in, out)
	if err := s.open(); err != nil {
		return err
	}
	go leaveWith(os.Getppid())
	ended := make(chan error, 2)
	go func() { ended <- s.hear() }()
	go func() {
		client, err := listener.Accept()
		if err == nil {
			err = s.serve(client)
		}
		ended <- err
	}()
	if err := <-ended; err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return errors.Join(in.Close(), server.Wait())
}

// leaveWith ends this program, and by that gopls, when its parent is gone: a kernel that is
// killed can't end them, and before it has connected no connection breaks.
func leaveWith(parent int) {
	for os.Getppid() == parent {
		time.Sleep(time.Second)
	}
	os.Exit(0)
}
