package source

// queue is a heap of happenings, the next to be sent first, four below each.
type queue []happening

func (h *happening) before(other *happening) bool {
	return h.at < other.at || h.at == other.at && h.number < other.number
}

func (q *queue) push(h happening) {
	*q = append(*q, h)
	s := *q
	hole := len(s) - 1
	for hole > 0 {
		parent := (hole - 1) / 4
		if !h.before(&s[parent]) {
			break
		}
		s[hole] = s[parent]
		hole = parent
	}
	s[hole] = h
}

func (q *queue) pop() happening {
	s := *q
	top, last := s[0], s[len(s)-1]
	s = s[:len(s)-1]
	*q = s
	hole := 0
	for 4*hole+1 < len(s) {
		least := 4*hole + 1
		for child := least + 1; child <= 4*hole+4 && child < len(s); child++ {
			if s[child].before(&s[least]) {
				least = child
			}
		}
		if !s[least].before(&last) {
			break
		}
		s[hole] = s[least]
		hole = least
	}
	if len(s) > 0 {
		s[hole] = last
	}
	return top
}
