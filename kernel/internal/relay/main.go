// Command relay is the kernel that Jupyter starts. It starts GoNB, and stands between the
// two: what Jupyter says it passes on, and of what GoNB publishes it makes a failure one line
// with the rest folded away. Besides it gives each kernel a folder in memory, where cells keep
// values for each other, and removes it when the kernel is gone.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == heirArgument {
		if err := inherit(os.Args[2]); err != nil {
			os.Exit(1)
		}
		return
	}
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// connection is Jupyter's connection file.
type connection struct {
	Transport string `json:"transport"`
	IP        string `json:"ip"`
	Key       string `json:"key"`
	Scheme    string `json:"signature_scheme"`
	Shell     int    `json:"shell_port"`
	Control   int    `json:"control_port"`
	Stdin     int    `json:"stdin_port"`
	Publish   int    `json:"iopub_port"`
	Heartbeat int    `json:"hb_port"`
}

// address is where a port of a connection is, for the package net.
func (c connection) address(port int) (network, address string) {
	if c.Transport == "ipc" {
		return "unix", c.IP + "-" + strconv.Itoa(port)
	}
	return "tcp", net.JoinHostPort(c.IP, strconv.Itoa(port))
}

// run is the kernel, called as GoNB would be: with --kernel, the path of the connection file,
// and whatever else GoNB is to be told. It returns GoNB's exit code.
func run(args []string) (code int, err error) {
	if len(args) < 2 || args[0] != "--kernel" {
		return 2, errors.New("it is started by Jupyter, as relay --kernel FILE, and arguments for GoNB")
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return 1, err
	}
	var ours connection
	if err := json.Unmarshal(text, &ours); err != nil {
		return 1, fmt.Errorf("%s isn't a connection file: %w", args[1], err)
	}
	if ours.Scheme != "" && ours.Scheme != "hmac-sha256" {
		return 1, fmt.Errorf("messages are to be signed by %s: expected hmac-sha256", ours.Scheme)
	}
	s, err := begin(memory())
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := s.heir(); err != nil {
		return 1, err
	}
	theirs := connection{
		Transport: "ipc", IP: filepath.Join(s.dir, "s"), Key: ours.Key, Scheme: ours.Scheme,
		Shell: 1, Control: 2, Stdin: 3, Publish: 4, Heartbeat: 5,
	}
	file := filepath.Join(s.dir, filepath.Base(args[1])) // GoNB reads the kernel's identity from its name
	if text, err = json.Marshal(theirs); err != nil {
		return 1, err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return 1, err
	}
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	// Jupyter sends signals to all of the group, and those that end GoNB end us by that.
	signal.Ignore(os.Interrupt)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGHUP)
	gonb := exec.Command(filepath.Join(filepath.Dir(filepath.Dir(self)), "gonb"), append([]string{"--kernel", file}, args[2:]...)...)
	gonb.Env = append(os.Environ(), "NAMI_KEPT="+filepath.Join(s.dir, kept))
	gonb.Stdin, gonb.Stdout, gonb.Stderr = os.Stdin, os.Stdout, os.Stderr
	gonb.SysProcAttr = endWithParent()
	runtime.LockOSThread() // a parent, to Linux, is a thread
	if err := gonb.Start(); err != nil {
		return 1, err
	}
	ended := make(chan struct{})
	var exited error
	go func() {
		exited = gonb.Wait()
		close(ended)
	}()
	if err := connect(ours, theirs, ended); err != nil {
		return 1, errors.Join(err, gonb.Process.Kill())
	}
	<-ended
	var exit *exec.ExitError
	if errors.As(exited, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, exited
}

// connect listens where Jupyter will connect, and passes on what is said.
func connect(ours, theirs connection, ended <-chan struct{}) error {
	key := []byte(ours.Key)
	known := &cells{all: map[string]*cell{}, sources: map[int]string{}}
	p := &publisher{key: key, cells: known, subscribers: map[*subscriber]bool{}}
	s := &shell{key: key, cells: known}
	go func() {
		if conn, err := reach(theirs, theirs.Publish, ended); err == nil {
			report(p.hear(conn), ended)
		}
	}()
	between := func(port int, pass func(client, kernel net.Conn) error) func(net.Conn) error {
		return func(client net.Conn) error {
			conn, err := reach(theirs, port, ended)
			if err != nil {
				return errors.Join(err, client.Close())
			}
			return pass(client, conn)
		}
	}
	for port, serve := range map[int]func(net.Conn) error{
		ours.Shell:     between(theirs.Shell, s.serve),
		ours.Control:   between(theirs.Control, plainly),
		ours.Stdin:     between(theirs.Stdin, plainly),
		ours.Heartbeat: between(theirs.Heartbeat, plainly),
		ours.Publish:   p.serve,
	} {
		network, address := ours.address(port)
		listener, err := net.Listen(network, address)
		if err != nil {
			return err
		}
		go func() {
			for {
				client, err := listener.Accept()
				if err != nil {
					report(err, ended)
					return
				}
				go func() { report(serve(client), ended) }()
			}
		}()
	}
	return nil
}

// plainly passes on bytes.
func plainly(client, kernel net.Conn) error {
	ended := make(chan error, 2)
	pass := func(to, from net.Conn) {
		_, err := io.Copy(to, from)
		ended <- err
	}
	go pass(kernel, client)
	go pass(client, kernel)
	err := <-ended
	return errors.Join(err, client.Close(), kernel.Close(), <-ended)
}

// reach connects with GoNB, which may still be starting.
func reach(c connection, port int, ended <-chan struct{}) (net.Conn, error) {
	for {
		network, address := c.address(port)
		conn, err := net.Dial(network, address)
		if err == nil {
			return conn, nil
		}
		select {
		case <-ended:
			return nil, err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// report says what went wrong on a connection, if that isn't its end.
func report(err error, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	default:
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		fmt.Fprintln(os.Stderr, "relay:", err)
	}
}
