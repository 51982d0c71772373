package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// maxUnpacked bounds what one batch may unpack to: a few bytes can claim to be
// gigabytes, and would end the process.
const maxUnpacked = 128 << 20

var errTooLarge = fmt.Errorf("a batch unpacks to more than %d bytes", maxUnpacked)

// unpacker unpacks batches. It is for one goroutine.
type unpacker struct {
	gzip  *gzip.Reader
	lz4   *lz4.Reader
	zstd  *zstd.Decoder
	ratio int // of lz4 and gzip, which do not tell how much they unpack to
}

// unpack unpacks into room, which is empty, where that is large enough and the
// codec can.
func (u *unpacker) unpack(room, packed []byte, codec kgo.CompressionCodecType) (unpacked []byte, err error) {
	switch codec {
	case kgo.CodecGzip:
		if u.gzip == nil {
			u.gzip = new(gzip.Reader)
		}
		if err := u.gzip.Reset(bytes.NewReader(packed)); err != nil {
			return nil, err
		}
		return u.readAll(u.gzip, len(packed))
	case kgo.CodecSnappy:
		if bytes.HasPrefix(packed, javaSnappy) {
			return unpackJavaSnappy(packed)
		}
		return appendSnappy(room, packed)
	case kgo.CodecLz4:
		if u.lz4 == nil {
			u.lz4 = lz4.NewReader(nil)
		}
		u.lz4.Reset(bytes.NewReader(packed))
		return u.readAll(u.lz4, len(packed))
	case kgo.CodecZstd:
		if u.zstd == nil {
			u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxUnpacked))
			if err != nil {
				return nil, err
			}
		}
		return u.zstd.DecodeAll(packed, room)
	}
	return nil, fmt.Errorf("unknown compression %d", codec)
}

func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
	}
}

// readAll reads into one piece of memory that is large enough most times.
func (u *unpacker) readAll(r io.Reader, packed int) ([]byte, error) {
	out := make([]byte, 0, min(packed*max(u.ratio, 2)+512, maxUnpacked))
	for {
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case len(out) > maxUnpacked:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			u.ratio = max(len(out)/max(packed, 1)+1, u.ratio-1)
			return out, nil
		case err != nil:
			return nil, err
		case len(out) == cap(out):
			out = append(out, 0)[:len(out)]
		}
	}
}

func appendSnappy(out, packed []byte) ([]byte, error) {
	n, err := s2.DecodedLen(packed)
	if err != nil {
		return nil, err
	}
	if n > maxUnpacked-len(out) {
		return nil, errTooLarge
	}
	if cap(out)-len(out) < n {
		grown := make([]byte, len(out), len(out)+n)
		copy(grown, out)
		out = grown
	}
	unpacked, err := s2.Decode(out[len(out):cap(out)], packed)
	if err != nil {
		return nil, err
	}
	return out[:len(out)+len(unpacked)], nil
}

// Java's snappy comes in blocks behind a header of 16 bytes.
var javaSnappy = []byte{130, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const javaSnappyHeader = 16

func unpackJavaSnappy(packed []byte) (out []byte, err error) {
	for rest := packed[min(javaSnappyHeader, len(packed)):]; len(rest) > 0; {
		if len(rest) < 4 || int64(binary.BigEndian.Uint32(rest)) > int64(len(rest)-4) {
			return nil, errDamaged
		}
		n := binary.BigEndian.Uint32(rest)
		if out, err = appendSnappy(out, rest[4:4+n]); err != nil {
			return nil, err
		}
		rest = rest[4+n:]
	}
	return out, nil
}
