package native

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/apache/datasketches-go/hll"
	"github.com/twmb/murmur3"
)

// sketch counts distinct values as a datasketches HLL_8 of lgK 12 does, so its
// images merge with those of other engines. It holds coupons (26 bits of hash
// as the slot, 6 bits of leading zeros) while they are few, then an image of
// 4,096 registers. The format is that of Apache DataSketches' HLL preamble;
// estimates are left to the library.
//
// The zero value is empty.
type sketch struct {
	coupons []uint32 // up to listSize in a list, then an open-addressed table; 0 is empty
	count   int
	image   []byte // once there are more than maxCoupons: preamble and registers
}

const (
	lgK        = 12
	slotBits   = 26
	listSize   = 8
	maxCoupons = 384 // three quarters of 2^(lgK-3): one more makes it dense
	registers  = 40  // where they begin in the image
	hashSeed   = 9001

	atKxQ0  = 16
	atKxQ1  = 24
	atZeros = 32
)

// couponOf hashes a value; absent ones must be left out by the caller.
func couponOf(value []byte) uint32 {
	h1, h2 := murmur3.SeedSum128(hashSeed, hashSeed, value)
	zeros := min(bits.LeadingZeros64(h2), 62) + 1
	return uint32(zeros)<<slotBits | uint32(h1&(1<<slotBits-1))
}

// add takes a coupon, and reports whether it changed anything.
func (s *sketch) add(coupon uint32) bool {
	if s.image != nil {
		one := [1]uint32{coupon}
		return len(s.raise(one[:0], one[:])) > 0
	}
	return s.addCoupon(coupon)
}

// addAll takes coupons, and returns those that changed something, in their place.
func (s *sketch) addAll(coupons []uint32) []uint32 {
	kept := coupons[:0]
	s.expect(len(coupons))
	for i, coupon := range coupons {
		if s.image != nil {
			return s.raise(kept, coupons[i:])
		}
		if s.addCoupon(coupon) {
			kept = append(kept, coupon)
		}
	}
	return kept
}

// raise sets registers, and appends the coupons that changed one to kept. The
// sums of 2^-register are exact, so the order of values does not matter.
func (s *sketch) raise(kept, coupons []uint32) []uint32 {
	held := s.image[registers : registers+1<<lgK]
	sums := [2]float64{s.float(atKxQ0), s.float(atKxQ1)} // of registers below 32, and of the others
	zeros := binary.LittleEndian.Uint32(s.image[atZeros:])
	for _, coupon := range coupons {
		slot, value := coupon&(1<<lgK-1), byte(coupon>>slotBits)
		old := held[slot]
		if value <= old {
			continue
		}
		held[slot] = value
		sums[old>>5&1] -= power(old)
		sums[value>>5&1] += power(value)
		if old == 0 {
			zeros--
		}
		kept = append(kept, coupon)
	}
	s.putFloat(atKxQ0, sums[0])
	s.putFloat(atKxQ1, sums[1])
	binary.LittleEndian.PutUint32(s.image[atZeros:], zeros)
	return kept
}

// power is 2^-value.
func power(value byte) float64 { return math.Float64frombits(uint64(1023-int(value)) << 52) }

// expect makes room for n more coupons at once.
func (s *sketch) expect(n int) {
	if s.image != nil || s.count+n <= listSize {
		return
	}
	size := max(32, len(s.coupons))
	for size < 512 && (s.count+n)*4 > size*3 {
		size *= 2
	}
	if size > len(s.coupons) {
		s.grow(size)
	}
}

func (s *sketch) addCoupon(coupon uint32) bool {
	if len(s.coupons) <= listSize {
		if slices.Contains(s.coupons, coupon) {
			return false
		}
		if s.count < listSize {
			s.coupons = append(s.coupons, coupon)
			s.count++
			return true
		}
		s.grow(32)
	}
	at := couponSlot(s.coupons, coupon)
	if s.coupons[at] == coupon {
		return false
	}
	s.coupons[at] = coupon
	s.count++
	switch {
	case s.count > maxCoupons:
		s.densify()
	case s.count*4 > len(s.coupons)*3:
		s.grow(len(s.coupons) * 2)
	}
	return true
}

func couponSlot(table []uint32, coupon uint32) int {
	mask := uint32(len(table) - 1)
	at := (coupon * 0x9E3779B1) >> 7 & mask
	for table[at] != 0 && table[at] != coupon {
		at = (at + 1) & mask
	}
	return int(at)
}

func (s *sketch) grow(size int) {
	old := s.coupons
	s.coupons = make([]uint32, size)
	for _, c := range old {
		if c != 0 {
			s.coupons[couponSlot(s.coupons, c)] = c
		}
	}
}

// densify turns coupons into registers.
func (s *sketch) densify() {
	coupons := s.coupons
	s.image = make([]byte, registers+1<<lgK)
	copy(s.image, []byte{10, 1, 7, lgK, 0, 16, 0, 2 | 2<<2}) // preamble ints, version, family, lgK, -, out of order, curMin, mode HLL of HLL_8
	s.putFloat(atKxQ0, 1<<lgK)
	binary.LittleEndian.PutUint32(s.image[atZeros:], 1<<lgK)
	s.coupons, s.count = nil, 0
	s.raise(coupons[:0], coupons) // an empty place has the value 0, which raises nothing
}

func (s *sketch) float(at int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(s.image[at:]))
}

func (s *sketch) putFloat(at int, f float64) {
	binary.LittleEndian.PutUint64(s.image[at:], math.Float64bits(f))
}

// bytes is the image in the library's format, the same for the same values; it
// must not be changed.
func (s *sketch) bytes() []byte {
	if s.image != nil {
		return s.image
	}
	held := s.held(make([]uint32, 0, s.count))
	slices.Sort(held)
	return appendImage(make([]byte, 0, imageSize(len(held))), held)
}

// held appends the coupons, in any order.
func (s *sketch) held(to []uint32) []uint32 {
	for _, c := range s.coupons {
		if c != 0 {
			to = append(to, c)
		}
	}
	return to
}

// keep appends what restoreSketch reads.
func (s *sketch) keep(b []byte) []byte {
	if s.image != nil {
		return appendBlob(b, s.image)
	}
	var room [maxCoupons]uint32
	held := s.held(room[:0])
	return appendImage(binary.AppendUvarint(b, uint64(imageSize(len(held)))), held)
}

// imageSize is how many bytes appendImage appends.
func imageSize(coupons int) int {
	if coupons < listSize {
		return 8 + 4*coupons
	}
	return 12 + 4*coupons
}

// appendImage appends the compact image of a list, or of a set from 8 coupons on.
func appendImage(b []byte, coupons []uint32) []byte {
	const emptyFlag, compactFlag, outOfOrder = 4, 8, 16
	n := len(coupons)
	if n < listSize {
		flags := byte(compactFlag)
		if n == 0 {
			flags |= emptyFlag
		}
		b = append(b, 2, 1, 7, lgK, 3, flags, byte(n), 0|2<<2)
	} else {
		lg := 5
		for n*4 > 3<<lg {
			lg++
		}
		b = append(b, 3, 1, 7, lgK, byte(lg), compactFlag|outOfOrder, 0, 1|2<<2)
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	for _, c := range coupons {
		b = binary.LittleEndian.AppendUint32(b, c)
	}
	return b
}

// estimate is the composite estimate, rounded half up.
func (s *sketch) estimate() int64 {
	if s.image == nil {
		return couponEstimates()[s.count]
	}
	n, err := estimateImage(s.image)
	if err != nil {
		panic(err) // the image is our own
	}
	return n
}

func estimateImage(image []byte) (int64, error) {
	held, err := hll.NewHllSketchFromSlice(image, false)
	if err != nil {
		return 0, fmt.Errorf("read sketch: %w", err)
	}
	f, err := held.GetCompositeEstimate()
	if err != nil {
		return 0, fmt.Errorf("estimate sketch: %w", err)
	}
	return int64(math.Floor(f + 0.5)), nil
}

// couponEstimates are the estimates by the number of coupons, on which alone
// they depend while there are no registers.
var couponEstimates = sync.OnceValue(func() []int64 {
	all := make([]int64, maxCoupons+1)
	coupons := make([]uint32, 0, maxCoupons)
	for n := range all {
		if n > 0 {
			coupons = append(coupons, 1<<slotBits|uint32(n))
			estimate, err := estimateImage(appendImage(nil, coupons))
			if err != nil {
				panic(err) // the image is our own
			}
			all[n] = estimate
		}
	}
	return all
})

// restoreSketch reads an image that bytes or keep made.
func restoreSketch(image []byte) (sketch, error) {
	var s sketch
	if len(image) == registers+1<<lgK && image[0] == 10 {
		s.image = slices.Clone(image)
		return s, nil
	}
	start := 8
	if len(image) >= 12 && image[0] == 3 {
		start = 12
	}
	if len(image) < start || (len(image)-start)%4 != 0 || (len(image)-start)/4 > maxCoupons {
		return s, fmt.Errorf("read sketch: %d bytes are no image", len(image))
	}
	for i := start; i < len(image); i += 4 {
		s.addCoupon(binary.LittleEndian.Uint32(image[i:]))
	}
	return s, nil
}
