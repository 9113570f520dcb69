package notebook

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// watch sees which files below a folder are read, by whatever program: Linux says when a file
// that was opened for reading alone is closed.
type watch struct {
	fd      int
	file    *os.File
	folders map[int32]string
	read    map[string]bool // paths; whether it was changed after that
	lost    bool            // Linux had more to say than it remembers
	ended   chan struct{}
}

// watchable is how many folders are watched at most, the notebook's first.
const watchable = 1000

const (
	isRead    = unix.IN_CLOSE_NOWRITE
	isChanged = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE
)

// newWatch begins to watch a folder, without hidden ones and those that are left out. The
// warning says what isn't seen.
func newWatch(folder string, leaveOut ...string) (w *watch, warning string, err error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, "", err
	}
	w = &watch{fd: fd, file: os.NewFile(uintptr(fd), "inotify"), folders: map[int32]string{}, read: map[string]bool{}, ended: make(chan struct{})}
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil // what can't be entered, nobody reads
		}
		if path != folder && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		for _, out := range leaveOut {
			if path == out && path != folder {
				return filepath.SkipDir
			}
		}
		if len(w.folders) == watchable {
			warning = fmt.Sprintf("%s has more than %d folders: files that are read in the others count only if their names stand in the code", folder, watchable)
			return filepath.SkipAll
		}
		id, err := unix.InotifyAddWatch(fd, path, isRead|isChanged|unix.IN_ONLYDIR)
		if err != nil {
			return fmt.Errorf("%s can't be watched: %w", path, err)
		}
		w.folders[int32(id)] = path
		return nil
	})
	if err != nil {
		_ = w.file.Close() // nothing was heard
		return nil, "", err
	}
	go w.hear()
	return w, warning, nil
}

func (w *watch) hear() {
	defer close(w.ended)
	buffer := make([]byte, 64<<10)
	for {
		n, err := w.file.Read(buffer)
		if err != nil {
			return
		}
		w.note(buffer[:n])
	}
}

// note takes events.
func (w *watch) note(events []byte) {
	for len(events) >= unix.SizeofInotifyEvent {
		id := int32(binary.NativeEndian.Uint32(events))
		mask := binary.NativeEndian.Uint32(events[4:])
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		name := string(bytes.TrimRight(events[unix.SizeofInotifyEvent:end], "\x00"))
		events = events[end:]
		path := filepath.Join(w.folders[id], name)
		switch _, known := w.read[path]; {
		case mask&unix.IN_Q_OVERFLOW != 0:
			w.lost = true
		case name == "" || mask&unix.IN_ISDIR != 0:
		case mask&isRead != 0:
			w.read[path] = false
		case known:
			w.read[path] = true
		}
	}
}

// end ends the watch, and returns the files that were read, and whether each was changed
// after that. ok is false if there may be others.
func (w *watch) end() (read map[string]bool, ok bool) {
	defer func() { _ = w.file.Close() }() // all was heard
	if err := w.file.SetReadDeadline(time.Now()); err != nil {
		return nil, false
	}
	<-w.ended
	buffer := make([]byte, 64<<10)
	for { // what is left
		n, err := unix.Read(w.fd, buffer)
		if err != nil || n <= 0 {
			return w.read, !w.lost && err == unix.EAGAIN
		}
		w.note(buffer[:n])
	}
}
