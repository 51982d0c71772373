package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
)

// Disk is a disk in memory that keeps over a crash only what was synced, and of
// the rest whatever the crash leaves: some of the writes, the last of them torn.
// A file's bytes last once the file is synced, its name once the directory is.
type Disk struct {
	mu      sync.Mutex
	names   map[string]*inode
	lasting map[string]*inode // names as they were at the last sync of the directory
	changes []change          // of names, since
	dead    bool
	before  func(operation, name string) error
}

type inode struct {
	content []byte
	synced  []byte
	writes  []written // since the last sync; a truncation has no bytes
}

type written struct {
	at       int64
	b        []byte
	truncate bool
}

// change is a name that was given or, without a file, taken away.
type change struct {
	name string
	file *inode
}

var (
	// ErrDiskFull is what a write says that OnDisk's function lets fail so.
	ErrDiskFull = errors.New("no space left on device")
	errDead     = errors.New("the machine is off")
)

// NewDisk makes an empty disk.
func NewDisk() *Disk { return &Disk{names: map[string]*inode{}, lasting: map[string]*inode{}} }

// Before sets what is asked before each operation: with an error it does not
// happen, but for half of the bytes of a write.
func (d *Disk) Before(ask func(operation, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before = ask
}

// begin takes the lock, and asks. The caller unlocks.
func (d *Disk) begin(operation, name string) error {
	d.mu.Lock()
	ask, dead := d.before, d.dead
	d.mu.Unlock()
	var err error
	if ask != nil && !dead {
		err = ask(operation, name)
	}
	d.mu.Lock()
	if d.dead {
		err = errDead
	}
	if err != nil {
		return &fs.PathError{Op: operation, Path: name, Err: err}
	}
	return nil
}

func missing(operation, name string) error {
	return &fs.PathError{Op: operation, Path: name, Err: fs.ErrNotExist}
}

// Lock does nothing: one engine at a time is the test's business.
func (d *Disk) Lock(string) (func() error, error) { return func() error { return nil }, nil }

func (d *Disk) Open(name string) (io.ReadCloser, error) {
	err := d.begin("open", name)
	defer d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	file := d.names[name]
	if file == nil {
		return nil, missing("open", name)
	}
	return io.NopCloser(bytes.NewReader(bytes.Clone(file.content))), nil
}

// Write opens a file for writing.
func (d *Disk) Write(name string) (*DiskFile, error) {
	err := d.begin("create", name)
	defer d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if d.names[name] == nil {
		d.rename(name, &inode{})
	}
	return &DiskFile{d, name, d.names[name]}, nil
}

func (d *Disk) rename(name string, file *inode) {
	if d.changes = append(d.changes, change{name, file}); file == nil {
		delete(d.names, name)
		return
	}
	d.names[name] = file
}

func (d *Disk) Rename(from, to string) error {
	err := d.begin("rename", from)
	defer d.mu.Unlock()
	if err != nil {
		return err
	}
	file := d.names[from]
	if file == nil {
		return missing("rename", from)
	}
	d.rename(to, file)
	d.rename(from, nil)
	return nil
}

func (d *Disk) Remove(name string) error {
	err := d.begin("remove", name)
	defer d.mu.Unlock()
	if err != nil {
		return err
	}
	if d.names[name] == nil {
		return missing("remove", name)
	}
	d.rename(name, nil)
	return nil
}

func (d *Disk) SyncDir(dir string) error {
	err := d.begin("sync", dir)
	defer d.mu.Unlock()
	if err != nil {
		return err
	}
	d.lasting, d.changes = maps.Clone(d.names), nil
	return nil
}

func (d *Disk) List(dir string) ([]string, error) {
	err := d.begin("list", dir)
	defer d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range d.names {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// DiskFile is a file under Write.
type DiskFile struct {
	disk *Disk
	name string
	file *inode
}

func (f *DiskFile) WriteAt(b []byte, at int64) (int, error) {
	err := f.disk.begin("write", f.name)
	defer f.disk.mu.Unlock()
	if errors.Is(err, errDead) {
		return 0, err
	}
	if err != nil {
		b = b[:len(b)/2]
	}
	f.file.write(written{at: at, b: bytes.Clone(b)})
	return len(b), err
}

func (f *DiskFile) Truncate(size int64) error {
	err := f.disk.begin("truncate", f.name)
	defer f.disk.mu.Unlock()
	if err != nil {
		return err
	}
	f.file.write(written{at: size, truncate: true})
	return nil
}

func (f *DiskFile) Sync() error {
	err := f.disk.begin("sync", f.name)
	defer f.disk.mu.Unlock()
	if err != nil {
		return err
	}
	f.file.synced, f.file.writes = bytes.Clone(f.file.content), nil
	return nil
}

func (f *DiskFile) Close() error { return nil }

func (n *inode) write(w written) {
	n.content = w.on(n.content)
	n.writes = append(n.writes, w)
}

// on is the content after the write.
func (w written) on(content []byte) []byte {
	end := int(w.at) + len(w.b)
	if w.truncate && end < len(content) {
		return content[:end]
	}
	if end > len(content) {
		content = append(content, make([]byte, end-len(content))...)
	}
	copy(content[w.at:], w.b)
	return content
}

// Crash is the disk after the machine has lost its power, and come back. The
// one before is dead.
func (d *Disk) Crash(random *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	names := maps.Clone(d.lasting)
	for _, c := range d.changes[:random.IntN(len(d.changes)+1)] {
		if c.file == nil {
			delete(names, c.name)
		} else {
			names[c.name] = c.file
		}
	}
	after := NewDisk()
	after.before = d.before
	made := map[*inode]*inode{} // a file may have two names for a moment
	for _, name := range slices.Sorted(maps.Keys(names)) {
		file := names[name]
		if made[file] == nil {
			content := file.afterCrash(random)
			made[file] = &inode{content: content, synced: bytes.Clone(content)}
		}
		after.names[name] = made[file]
	}
	after.lasting = maps.Clone(after.names)
	return after
}

func (n *inode) afterCrash(random *rand.Rand) []byte {
	content := bytes.Clone(n.synced)
	kept := random.IntN(len(n.writes) + 1)
	for _, w := range n.writes[:kept] {
		content = w.on(content)
	}
	if kept < len(n.writes) && !n.writes[kept].truncate { // torn
		w := n.writes[kept]
		w.b = w.b[:random.IntN(len(w.b)+1)]
		content = w.on(content)
	}
	return content
}

// Flip turns one bit of a file over, as a failing disk does.
func (d *Disk) Flip(name string, random *rand.Rand) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	file := d.names[name]
	if file == nil || len(file.content) == 0 {
		return fmt.Errorf("flip a bit of %s: %w", name, fs.ErrNotExist)
	}
	file.content[random.IntN(len(file.content))] ^= 1 << random.IntN(8)
	return nil
}

// Names are the names of all files, sorted.
func (d *Disk) Names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.names))
}
