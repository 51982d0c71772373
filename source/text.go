package source

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const (
	// heldSize is the largest file that is held in memory as a whole; of a
	// larger one blockCount blocks are.
	heldSize   = 64 << 20
	blockSize  = 16 << 10
	blockCount = 2048
)

// text is a file as UTF-8 text, after its byte order mark. Strings that were
// read stay valid for as long as they are held.
type text struct {
	size int64

	whole  string  // of a file up to heldSize
	file   backing // of a larger one
	remove bool    // file is ours and still to be removed
	start  int64   // of the text in file
	blocks []block // of file, by number modulo blockCount
	buffer []byte
}

// backing is an open file.
type backing interface {
	io.ReaderAt
	io.Closer
	Name() string
}

type block struct {
	number int64 // from 1; 0: empty
	text   string
}

// openFile opens a regular file, or says in one line what is wrong.
func openFile(what, path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, misuse("%s %s: no such file", what, path)
	}
	if err != nil {
		return nil, 0, misuse("%s %s: %v", what, path, cause(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = misuse("%s %s: not a file; a folder or pipe cannot be replayed", what, path)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// contentHash is the hex SHA-256 of a file's bytes.
func contentHash(ctx context.Context, what, path string) (string, error) {
	f, _, err := openFile(what, path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	buffer := make([]byte, 1<<20)
	for {
		n, err := f.Read(buffer)
		h.Write(buffer[:n])
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return "", fmt.Errorf("read %s: %w", path, err)
		}
	}
}

// openText opens a file of the format's encoding. One that is not UTF-8 is
// written anew as UTF-8 into a temporary file where it is larger than heldSize.
func openText(ctx context.Context, what, path string, f format, held int64) (*text, error) {
	file, size, err := openFile(what, path)
	if err != nil {
		return nil, err
	}
	if f.encoding == nil && size > held {
		t := &text{file: file, size: size}
		return t, t.skipMark()
	}
	defer file.Close()
	var in io.Reader = bufio.NewReaderSize(file, 1<<16)
	if f.encoding != nil {
		in = transform.NewReader(in, unicode.BOMOverride(f.encoding.NewDecoder()))
	}
	if size <= held {
		var b strings.Builder
		b.Grow(int(size) + 1)
		if _, err := copyContext(ctx, &b, in); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		whole := strings.TrimPrefix(b.String(), byteOrderMark)
		return &text{whole: whole, size: int64(len(whole))}, nil
	}
	return transcode(ctx, path, in)
}

// transcode writes UTF-8 text into a temporary file.
func transcode(ctx context.Context, path string, in io.Reader) (*text, error) {
	file, err := os.CreateTemp("", "liushui-*.csv")
	if err != nil {
		return nil, fmt.Errorf("write %s as UTF-8: %w", path, err)
	}
	t := &text{file: file, remove: os.Remove(file.Name()) != nil} // some systems remove open files, the others when it is closed
	if t.size, err = copyContext(ctx, file, in); err != nil {
		return nil, errors.Join(fmt.Errorf("write %s as UTF-8: %w", path, err), t.Close())
	}
	return t, t.skipMark()
}

func copyContext(ctx context.Context, out io.Writer, in io.Reader) (size int64, err error) {
	for {
		n, err := io.CopyN(out, in, 1<<20)
		size += n
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return size, err
		}
	}
}

const byteOrderMark = "\xef\xbb\xbf"

func (t *text) skipMark() error {
	mark, err := t.read(0, len(byteOrderMark))
	if err != nil && !errors.Is(err, io.EOF) {
		return errors.Join(err, t.Close())
	}
	if mark == byteOrderMark {
		t.start, t.size, t.blocks = int64(len(mark)), t.size-int64(len(mark)), nil
	}
	return nil
}

func (t *text) Close() error {
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	if t.remove {
		err = errors.Join(err, os.Remove(t.file.Name()))
	}
	return err
}

// read returns n bytes from an offset; less only at the end, with io.EOF.
func (t *text) read(offset int64, n int) (string, error) {
	if t.file == nil {
		if offset+int64(n) > t.size {
			return t.whole[min(offset, t.size):], io.EOF
		}
		return t.whole[offset : offset+int64(n)], nil
	}
	number, into := (t.start+offset)/blockSize, int((t.start+offset)%blockSize)
	b, err := t.block(number)
	if err != nil {
		return "", err
	}
	if into+n <= len(b) {
		return b[into : into+n], nil
	}
	return t.span(number, into, n)
}

// span reads across the ends of blocks.
func (t *text) span(number int64, into, n int) (string, error) {
	var all strings.Builder
	all.Grow(n)
	for all.Len() < n {
		b, err := t.block(number)
		if err != nil {
			return "", err
		}
		part := b[min(into, len(b)):]
		part = part[:min(len(part), n-all.Len())]
		all.WriteString(part)
		if len(b) < blockSize && all.Len() < n {
			return all.String(), io.EOF
		}
		number, into = number+1, 0
	}
	return all.String(), nil
}

// block returns a block of the file, from memory where it was read lately.
func (t *text) block(number int64) (string, error) {
	if t.blocks == nil {
		t.blocks, t.buffer = make([]block, blockCount), make([]byte, blockSize)
	}
	b := &t.blocks[number%blockCount]
	if b.number == number+1 {
		return b.text, nil
	}
	n, err := t.file.ReadAt(t.buffer, number*blockSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read %s: %w", t.file.Name(), err)
	}
	*b = block{number + 1, string(t.buffer[:n])}
	return b.text, nil
}
