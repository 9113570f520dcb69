package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"
)

// A session's folder is in memory, where that is large enough, and holds what cells keep for
// each other. Its lock is held as long as the kernel lives.
const (
	prefix = "nami-kernel-"
	locked = "lock"
	kept   = "kept"
)

// session is a kernel's folder.
type session struct {
	dir  string
	lock *flock.Flock
}

// memory is where files are kept in memory, if there are 256 MiB left of it; else it is the
// folder of temporary files. Containers often get 64 MiB.
func memory() string {
	const dir, enough = "/dev/shm", 256 << 20
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err == nil && uint64(s.Bavail)*uint64(s.Bsize) >= enough && syscall.Access(dir, 2) == nil {
		return dir
	}
	return os.TempDir()
}

// begin makes the folder of a session below another, and removes those of kernels that were
// killed.
func begin(parent string) (*session, error) {
	sweep(parent)
	for {
		dir, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return nil, err
		}
		s := &session{dir: dir, lock: flock.New(filepath.Join(dir, locked))}
		ok, err := s.lock.TryLock()
		switch {
		case err != nil:
			return nil, errors.Join(err, os.RemoveAll(dir))
		case ok:
			return s, os.Mkdir(filepath.Join(dir, kept), 0o700)
		}
		// Another kernel that begins took it for one of the dead.
	}
}

// end removes the folder.
func (s *session) end() error {
	return errors.Join(os.RemoveAll(s.dir), s.lock.Close())
}

// sweep removes the folders below another whose kernels are gone. Those of other users stay.
func sweep(parent string) {
	folders, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range folders {
		lock := flock.New(filepath.Join(dir, locked), flock.SetFlag(os.O_RDWR)) // without a lock it is about to begin, or to end
		if ok, err := lock.TryLock(); err == nil && ok {
			_ = os.RemoveAll(dir) // the next kernel tries again
		}
		_ = lock.Close()
	}
}

// heir starts a program that removes the folder when this one is gone, however it ends.
func (s *session) heir() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	heir := exec.Command(self, heirArgument, s.dir)
	heir.Dir = "/"
	heir.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // whoever ends our group spares it
	if err := heir.Start(); err != nil {
		return err
	}
	return heir.Process.Release()
}

// heirArgument makes this program an heir.
const heirArgument = "-remove-after"

// inherit waits until the kernel of a folder is gone, and removes the folder.
func inherit(dir string) error {
	lock := flock.New(filepath.Join(dir, locked), flock.SetFlag(os.O_RDWR))
	if err := lock.Lock(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(os.RemoveAll(dir), lock.Close())
}
