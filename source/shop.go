package source

import (
	"time"

	"liushui"
)

// share is a name with its weight.
type share struct {
	name   string
	weight int
}

// choice picks names by their weights with one look-up.
type choice [1024]string

func newChoice(shares []share) *choice {
	total, c := 0, &choice{}
	for _, s := range shares {
		total += s.weight
	}
	from, sum := 0, 0
	for _, s := range shares {
		sum += s.weight
		for to := sum * len(c) / total; from < to; from++ {
			c[from] = s.name
		}
	}
	return c
}

func (c *choice) pick(hash uint64) string { return c[hash%uint64(len(c))] }

// The shop's world. Provinces weigh about their people, in hundred thousands.
var (
	provinceChoice = newChoice([]share{
		{"广东", 1260}, {"山东", 1015}, {"河南", 994}, {"江苏", 847}, {"四川", 837}, {"河北", 746}, {"湖南", 664},
		{"浙江", 646}, {"安徽", 610}, {"湖北", 578}, {"广西", 501}, {"云南", 472}, {"江西", 452}, {"辽宁", 426},
		{"福建", 415}, {"陕西", 395}, {"贵州", 386}, {"山西", 349}, {"重庆", 321}, {"黑龙江", 319}, {"新疆", 259},
		{"甘肃", 250}, {"上海", 480}, {"吉林", 241}, {"内蒙古", 240}, {"台湾", 60}, {"北京", 430}, {"天津", 139},
		{"海南", 101}, {"香港", 75}, {"宁夏", 72}, {"青海", 59}, {"西藏", 36}, {"澳门", 20},
	})
	categoryChoice = newChoice([]share{
		{"服饰", 18}, {"手机", 8}, {"美妆", 12}, {"食品", 14}, {"家电", 7}, {"家居", 9}, {"母婴", 8}, {"数码", 7},
		{"运动", 6}, {"图书", 5}, {"箱包", 3}, {"珠宝", 1}, {"", 1},
	})
	channelChoice = newChoice([]share{{"app", 61}, {"mini-program", 21}, {"web", 11}, {"live", 7}})
	genderChoice  = newChoice([]share{{"female", 53}, {"male", 43}, {"", 4}})
	ageChoice     = newChoice([]share{{"0-17", 3}, {"18-24", 23}, {"25-29", 22}, {"30-34", 18}, {"35-39", 13}, {"40-49", 12}, {"50+", 6}, {"", 3}})
)

// priceRange is a category's lowest price in yuan, and how far above it goes.
var priceRange = map[string][2]int64{
	"服饰": {39, 360}, "手机": {999, 6000}, "美妆": {29, 400}, "食品": {9, 120}, "家电": {199, 3800}, "家居": {19, 500}, "母婴": {29, 300},
	"数码": {99, 4000}, "运动": {49, 600}, "图书": {12, 90}, "箱包": {79, 700}, "珠宝": {299, 5000}, "": {9, 99},
}

// ware is what is known of a thing on sale.
type ware struct {
	category string
	price    liushui.Money
}

// catalogue is the same in every run.
var catalogue = func() (all [wares]ware) {
	cents := [...]int64{0, 0, 50, 80, 90, 99, 90, 0}
	for i := range all {
		h := mix(uint64(i) + 77)
		all[i].category = categoryChoice.pick(h)
		r := priceRange[all[i].category]
		h = mix(h)
		low := min(h%1000, h/1000%1000) // most are cheap
		yuan := r[0] + r[1]*int64(low)/1000
		all[i].price = liushui.Money((yuan*100 + cents[h>>61]) * (liushui.MoneyScale / 100))
	}
	return all
}()

func price(item int32) liushui.Money { return catalogue[item].price }

// hours is how busy a shop is at each hour of the day, in percent of the mean.
var hours = [24]float64{74, 44, 28, 20, 18, 22, 42, 66, 88, 112, 126, 124, 122, 120, 116, 114, 112, 110, 118, 146, 180, 196, 176, 126}

// dayCurve is how busy the shop is at a time.
type dayCurve struct {
	zone     *time.Location
	flat     bool
	from, to int64 // ms, of the minute that now holds for
	now      float64
}

// weight is 1 on the mean of a day.
func (c *dayCurve) weight(t int64) float64 {
	if c.flat {
		return 1
	}
	if t < c.from || t >= c.to {
		at := time.UnixMilli(t).In(c.zone)
		part := float64(at.Minute()) / 60
		this, next := hours[at.Hour()], hours[(at.Hour()+1)%24]
		c.now = (this + float64((next-this)*part)) / 100
		c.from = t - t%60_000
		c.to = c.from + 60_000
	}
	return c.now
}
