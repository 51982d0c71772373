package source

import "liushui"

// describe makes the item of a happening: a copy says exactly the same again.
func (g *Generator) describe(h *happening, into *Item) {
	e := &into.Event
	*e = liushui.Event{Extra: e.Extra[:0]}
	into.At, into.Now, into.Raw = h.at, false, nil
	person, thing := mix(uint64(h.user)^0x5f0f), &catalogue[h.item]

	e.Type = liushui.EventTypes[h.kind]
	e.Time = h.time
	e.ID = g.name("d", h.number)
	e.User = g.name("u", int64(h.user))
	e.Item = g.name("i", int64(h.item))
	e.Category = thing.category
	e.Province = provinceChoice.pick(person)
	e.Gender = genderChoice.pick(person >> 10)
	e.Age = ageChoice.pick(person >> 20)
	e.Channel = channelChoice.pick(mix(person ^ uint64(h.time/3_600_000)))
	if h.order > 0 {
		e.Order = g.name("o", h.order)
		e.Amount, e.HasAmount = h.amount, true
	}
	if h.quantity > 0 {
		e.Quantity, e.HasQuantity = int64(h.quantity), true
	}
	if h.fate == damaged {
		into.Raw = g.damage(h.number, e, into.Raw)
	}
}

// name makes d<run>-<number>, and for persons and things that are the same in
// every run u<number>.
func (g *Generator) name(letter string, number int64) string {
	g.made.open(40)
	g.made.string(letter)
	if letter == "d" || letter == "o" {
		g.made.string(g.run)
		g.made.string("-")
		g.made.number(number, 36)
	} else {
		g.made.number(number+100_000, 10)
	}
	return g.made.close()
}

// damage makes a record that is no event of one that was.
func (g *Generator) damage(number int64, e *liushui.Event, into []byte) []byte {
	broken := *e
	switch number % 5 {
	case 0:
		broken.Type = "click" // none of the seven
	case 1:
		broken.Time = 15 // a cut number
	case 2:
		broken.ID = ""
	case 3:
		broken.Amount, broken.HasAmount = -1, true
	default:
		whole := e.AppendJSON(into)
		return whole[:len(whole)*2/3] // cut
	}
	return broken.AppendJSON(into)
}
