package reconcile

import (
	"encoding/binary"

	"liushui"
)

// LateEvent is a record that an engine parked as late.
type LateEvent struct {
	Place  Place
	ID     string
	Type   string
	Time   int64
	Amount liushui.Money
	Again  bool // its id was counted before: it was sent again, and nothing of it is missing
}

// LateSum is what late events come to that were not counted otherwise.
type LateSum struct {
	Events  int64
	Again   int64                    // others, which were sent again
	ByType  map[string]int64         // of Events
	Amounts map[string]liushui.Money // of Events
	First   []LateEvent
}

// park keeps a late event apart.
func (c *Computation) park(r *liushui.Record, e *Event) error {
	if e.Time < c.from || e.Time >= c.to {
		return nil
	}
	row := binary.AppendVarint(nil, int64(r.Partition))
	row = binary.AppendVarint(row, r.Offset)
	row = append(binary.AppendUvarint(row, uint64(len(e.ID))), e.ID...)
	return c.parked.add(c.hour(e.Time), append(row, c.row...))
}

// settle ends the taking of records: it finds the late ones that were counted
// otherwise, and forgets the ids.
func (c *Computation) settle() error {
	if c.ids == nil {
		return nil
	}
	c.again = map[Place]bool{}
	for _, hour := range c.parked.starts() {
		err := c.eachLate(hour, func(e *LateEvent, said []byte) error {
			if known, _ := c.ids.add(hashOf(e.ID), said); known {
				c.again[e.Place] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	c.ids = nil
	return nil
}

// eachLate calls take with the late events of an hour, and what each says.
func (c *Computation) eachLate(hour int64, take func(e *LateEvent, said []byte) error) error {
	return c.parked.each(hour, func(row []byte) error {
		partition, n := binary.Varint(row)
		offset, m := binary.Varint(row[n:])
		row = row[n+m:]
		length, n := binary.Uvarint(row)
		id, said := string(row[n:n+int(length)]), row[n+int(length):]
		c.codec.heard(said, &c.event)
		e := &LateEvent{Place: Place{int32(partition), offset}, ID: id, Type: c.event.Fields["type"], Time: c.event.Time, Amount: liushui.Money(c.event.Sums["amount"])}
		e.Again = c.again[e.Place]
		return take(e, said)
	})
}

// Late sums up the late events of the scope. No record is taken after it.
func (c *Computation) Late() (LateSum, error) {
	sum := LateSum{ByType: map[string]int64{}, Amounts: map[string]liushui.Money{}}
	if err := c.settle(); err != nil {
		return sum, err
	}
	for _, hour := range c.parked.starts() {
		err := c.eachLate(hour, func(e *LateEvent, _ []byte) error {
			if e.Again {
				sum.Again++
				return nil
			}
			sum.Events++
			sum.ByType[e.Type]++
			sum.Amounts[e.Type] += e.Amount
			if len(sum.First) < named {
				sum.First = append(sum.First, *e)
			}
			return nil
		})
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}
