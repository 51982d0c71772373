package source

import (
	"time"

	"liushui"
)

// How people shop: shares of those who take the next step.
const (
	shareLookOn   = 0.62 // of views are followed by another
	shareFavorite = 0.05 // of views
	shareCart     = 0.14 // of views
	shareOrder    = 0.50 // of carts
	sharePay      = 0.88 // of orders
	sharePayLate  = 0.06 // of payments come long after
	shareCancel   = 0.70 // of orders that are not paid
	shareRefund   = 0.07 // of payments
)

// What befalls records on their way.
const (
	shareDamaged    = 0.0003
	shareTooLate    = 0.0002 // behind lateness + corrections
	shareCopied     = 0.003
	shareCorrecting = 0.002 // behind lateness, within corrections
	shareDelayed    = 0.03  // within lateness
	shareOdd        = shareDamaged + shareTooLate + shareCopied + shareCorrecting + shareDelayed
)

// eventsPerVisit is how many items come of one visit on average.
const eventsPerVisit = 1 / (1 - shareLookOn) *
	(1 + shareFavorite + shareCart*(1+shareOrder*(1+sharePay*(1+shareRefund)+(1-sharePay)*shareCancel))) * (1 + shareCopied)

const (
	users = 300_000
	wares = 20_000
)

// someUser prefers those with low numbers: some come often.
func (g *Generator) someUser() int32 {
	u := g.random.Float64()
	return int32(float64(u*u) * users)
}

// someItem prefers those with low numbers: some sell well.
func (g *Generator) someItem() int32 {
	u := g.random.Float64()
	return int32(float64(float64(u*u)*u) * wares)
}

// follow decides what comes of a happening.
func (g *Generator) follow(h *happening) {
	switch h.kind {
	case view:
		if g.chance(shareLookOn) {
			n := g.then(h, view, g.between(2*time.Second, 50*time.Second))
			n.item = g.someItem()
			g.coming.push(n)
		}
		if g.chance(shareFavorite) {
			g.coming.push(g.then(h, favorite, g.between(time.Second, 30*time.Second)))
		}
		if g.chance(shareCart) {
			n := g.then(h, cart, g.between(time.Second, 40*time.Second))
			n.quantity = 1 + uint8(g.random.Uint32()&g.random.Uint32()&g.random.Uint32()&7)
			g.coming.push(n)
		}
	case cart:
		if g.chance(shareOrder) {
			n := g.then(h, order, g.between(3*time.Second, 3*time.Minute))
			g.orders++
			n.order, n.amount = g.orders, price(h.item)*liushui.Money(h.quantity)
			g.coming.push(n)
		}
	case order:
		g.followOrder(h)
	case pay:
		if g.chance(shareRefund) {
			n := g.then(h, refund, g.between(time.Minute, 3*time.Hour))
			if g.chance(0.25) { // in part, whole cents
				n.amount = n.amount / 2 / 100 * 100
			}
			g.coming.push(n)
		}
	}
}

func (g *Generator) followOrder(h *happening) {
	switch {
	case !g.chance(sharePay):
		if g.chance(shareCancel) {
			g.coming.push(g.then(h, cancel, g.between(time.Minute, 30*time.Minute)))
		}
	case g.chance(sharePayLate):
		g.coming.push(g.then(h, pay, g.between(2*time.Minute, 2*time.Hour)))
	default:
		g.coming.push(g.then(h, pay, g.between(2*time.Second, 40*time.Second)))
	}
}

// then is a happening of the same person and thing, some ms after.
func (g *Generator) then(h *happening, k kind, after int64) happening {
	n := *h
	g.number++
	n.number, n.kind = g.number, k
	n.time += after
	n.at = n.time
	return n
}
