package native

// hits are a batch's coupons for the sketches of its deltas. They are gathered
// as they come and sorted by sketch before they are added, so that a sketch
// stays in the nearest cache while all of its coupons are.
type hits struct {
	all    []hit
	ends   []int32  // by sketch: how many coupons; after sort, where they end in sorted
	sorted []uint32 // coupons by sketch
}

type hit struct {
	sketch int32
	coupon uint32
}

// open makes room for n more sketches and returns the number of the first.
func (h *hits) open(n int) int32 {
	first := len(h.ends)
	for range n {
		h.ends = append(h.ends, 0)
	}
	return int32(first)
}

// add gathers a coupon; 0 is absent.
func (h *hits) add(sketch int32, coupon uint32) {
	if coupon != 0 {
		h.all = append(h.all, hit{sketch, coupon})
		h.ends[sketch]++
	}
}

func (h *hits) sort() {
	at := int32(0)
	for i, n := range h.ends {
		h.ends[i] = at
		at += n
	}
	if cap(h.sorted) < len(h.all) {
		h.sorted = make([]uint32, len(h.all)+len(h.all)/4)
	}
	h.sorted = h.sorted[:len(h.all)]
	for _, hit := range h.all {
		h.sorted[h.ends[hit.sketch]] = hit.coupon
		h.ends[hit.sketch]++
	}
}

// of are the coupons of a sketch, once they are sorted; the caller may change them.
func (h *hits) of(sketch int32) []uint32 {
	start := int32(0)
	if sketch > 0 {
		start = h.ends[sketch-1]
	}
	return h.sorted[start:h.ends[sketch]]
}

func (h *hits) clear() { h.all, h.ends, h.sorted = h.all[:0], h.ends[:0], h.sorted[:0] }
