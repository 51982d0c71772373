package spark

import (
	"fmt"
	"strings"

	"liushui"
)

// decoder writes the SQL that reads events by the closed rule of system.md
// section 2. Records that a regular expression proves to be flat, and to hold in
// each named field what belongs there, are read with a schema. All others are
// read with care: from_json alone overlooks what follows the object, turns
// numbers into texts and texts into numbers, and rounds.
type decoder struct {
	named
	texts   []string // id, type and the dimensions
	numbers []numberField
}

// numberField is a field that must hold a number.
type numberField struct {
	name   string
	places int
	digits int    // before the point, at most
	plain  string // regular expression of its common form
	schema string // type that holds the common form
}

// newDecoder returns the decoder of a job.
func newDecoder(job *liushui.Job) *decoder {
	d := &decoder{named: namedBy(job)}
	d.texts = append([]string{"id", "type"}, d.dims...)
	d.numbers = []numberField{{"time", 0, 15, `[1-9][0-9]{11,14}+`, "BIGINT"}}
	if d.quantity {
		d.numbers = append(d.numbers, numberField{"quantity", 0, 10, `(?:0|[1-9][0-9]{0,9}+)`, "BIGINT"})
	}
	if d.amount {
		d.numbers = append(d.numbers, numberField{"amount", 4, 13, `(?:0|[1-9][0-9]{0,12}+)(?:\.[0-9]{1,4}+)?+`, "DECIMAL(17,4)"})
	}
	return d
}

// Parts of regular expressions. Every repetition is possessive, so that matching
// takes no stack and no second try, whatever a record holds.
const (
	reBlank  = `[ \t\r\n]*+`
	reNumber = `-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+`
	reEscape = `\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})`
	reText   = `"(?:[^"\\\x00-\x1f]++|` + reEscape + `)*+"`
	reName   = `[^"\\\x00-\x1f]*+"` // without the first quotation mark
)

// plain is the regular expression of plain records: one flat object, no escapes
// in names, no odd numbers, no named field of a wrong type.
func (d *decoder) plain() string {
	colon := reBlank + ":" + reBlank
	var named []string
	var pairs []string
	for _, n := range d.numbers {
		null := "|null"
		if n.name == "time" {
			null = ""
		}
		pairs = append(pairs, `"`+n.name+`"`+colon+`(?:`+n.plain+null+`)`)
		named = append(named, n.name)
	}
	text := `"(?!(?:` + strings.Join(named, "|") + `)")` + reName + colon + `(?:` + reText + `|null)`
	other := `"(?!(?:` + strings.Join(append(named, d.texts...), "|") + `)")` + reName + colon + `(?:true|false|-?(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]{1,18}+)?+)`
	pair := "(?:" + strings.Join(append([]string{text}, append(pairs, other)...), "|") + ")"
	return `\A` + reBlank + `\{` + reBlank + pair + `(?:` + reBlank + `,` + reBlank + pair + `)*+` + reBlank + `\}` + reBlank + `\z`
}

// strict are options of from_json that leave only JSON.
const strict = `map('mode', 'PERMISSIVE', 'columnNameOfCorruptRecord', '!', 'allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false')`

// schema is that of from_json; typed for plain records, open for the others.
func (d *decoder) schema(typed bool) string {
	var fields []string
	for _, t := range d.texts {
		kind := "STRING"
		if !typed {
			kind = "VARIANT"
		}
		fields = append(fields, name(t)+" "+kind)
	}
	for _, n := range d.numbers {
		kind := n.schema
		if !typed {
			kind = "VARIANT"
		}
		fields = append(fields, name(n.name)+" "+kind)
	}
	if !typed {
		fields = append(fields, "`!` STRING") // no dimension has such a name
	}
	return text(strings.Join(fields, ", "))
}

// decoded is a query of records that adds columns for the fields that the job names
// and the column bad: why the record is, or NULL.
func (d *decoder) decoded(o options) string {
	return "SELECT *,\n  " + d.bad(o) + " AS bad\n" + from(d.values())
}

// legible adds the record's text, where it is one of a proper length.
func (d *decoder) legible() string {
	return "SELECT *,\n  CASE WHEN octet_length(value) <= " + fmt.Sprint(liushui.MaxRecord) +
		" AND is_valid_utf8(value) THEN CAST(value AS STRING) END AS text\nFROM records"
}

// read adds plain, the fields of a plain record, and odd, those of any other. Rows
// are made of them, not columns: Spark 4.1 would put the whole reading in the place of
// each use of a column, and read a record hundreds of times.
func (d *decoder) read() string {
	once := func(columns, names, in string) string {
		return "SELECT *\n" + from(in) + "\nLATERAL VIEW inline(array(struct(\n  " + columns + "\n))) AS " + names
	}
	plain := once("CASE WHEN text RLIKE "+pattern(d.plain())+"\n    THEN from_json(text, "+d.schema(true)+", "+strict+") END", "plain", d.legible())
	return once("CASE WHEN plain IS NULL THEN from_json("+d.mended("text")+",\n    "+d.schema(false)+", "+strict+") END,\n"+
		"  CASE WHEN plain IS NULL THEN "+levels("text")+" END", "odd, levels", plain)
}

// mended is the text of an odd record, in which
//   - numbers of named fields are quoted, which means the same, so that from_json keeps
//     them as they are written;
//   - numbers longer than Spark's JSON reader takes are 0: they belong to fields that
//     nobody reads;
//   - halves of surrogate pairs are torn: Spark 4.1 makes question marks of them, 4.2 fails.
func (d *decoder) mended(text string) string {
	var names []string
	for _, n := range d.numbers {
		names = append(names, n.name)
	}
	const (
		ends = `(?=[ \t\r\n,}\]])`
		long = `(?<=[:,\[ \t\r\n])(?=[-+.eE0-9]{900})` + reNumber + ends
		high = `\\u[dD][89abAB][0-9a-fA-F]{2}`
		low  = `\\u[dD][c-fC-F][0-9a-fA-F]{2}`
		half = `(?<!\\)((?:\\\\)*+)(?:` + high + `(?!` + low + `)|(?<!(?<!\\)(?:\\\\){0,99}` + high + `)` + low + `)`
	)
	quoted := `(?<!\\)("(?:` + strings.Join(names, "|") + `)"` + reBlank + ":" + reBlank + `)(` + reNumber + `)` + ends
	for _, step := range []struct{ find, put string }{{quoted, `$1"$2"`}, {long, "0"}, {half, `$1\\uFFFF\\uFFFE\\uFFFF`}} {
		text = "regexp_replace(" + text + ", " + pattern(step.find) + ", " + pattern(step.put) + ")"
	}
	return text
}

// torn stands for half of a surrogate pair: three code points that are no characters.
const torn = "\uffff\ufffe\uffff"

// levels is how deep the only object of a text is nested; NULL where the text is not
// one pair of braces and what is in it. What is between them from_json judges.
func levels(text string) string {
	whole := `\A` + reBlank + `\{.*\}` + reBlank + `\z`
	return "CASE WHEN " + text + " RLIKE " + pattern("(?s)"+whole) + " THEN\n" +
		"    aggregate(regexp_extract_all(regexp_replace(" + text + ", " + pattern(`(?s)"(?:[^"\\]++|\\.)*+"|[^{}\[\]"]++`) + ", ''), '.', 0),\n" +
		"      named_struct('level', 0, 'most', 0, 'ends', 0),\n" +
		"      (a, c) -> named_struct('level', a.level + CASE WHEN c IN ('{', '[') THEN 1 WHEN c IN ('}', ']') THEN -1 END,\n" +
		"        'most', greatest(a.most, a.level + IF(c IN ('{', '['), 1, 0)), 'ends', a.ends + IF(a.level = 1 AND c IN ('}', ']') OR a.level < 0, 1, 0)),\n" +
		"      a -> IF(a.level = 0 AND a.ends = 1, a.most, NULL)) END"
}

// values adds a column for each named field. A text of the wrong type is NULL, an
// absent one is empty; a number that cannot be is -1, an absent one is NULL.
func (d *decoder) values() string {
	list := []string{"*"}
	for _, t := range d.texts {
		odd := "odd." + name(t)
		list = append(list, "CASE WHEN plain IS NOT NULL THEN coalesce(plain."+name(t)+", '')"+
			" WHEN "+odd+" IS NULL OR is_variant_null("+odd+") THEN ''"+
			" WHEN schema_of_variant("+odd+") = 'STRING' AND NOT contains(CAST("+odd+" AS STRING), "+text(torn)+") THEN CAST("+odd+" AS STRING) END AS "+column(t))
	}
	for _, n := range d.numbers {
		plain := "plain." + name(n.name)
		if n.places > 0 {
			plain = fmt.Sprintf("CAST(%s * 1%s AS BIGINT)", plain, strings.Repeat("0", n.places))
		}
		list = append(list, "CASE WHEN plain IS NOT NULL THEN "+plain+"\n    ELSE "+n.parse()+" END AS "+column(n.name))
	}
	return "SELECT\n" + columns(list...) + "\n" + from(d.numberTexts())
}

// numberTexts adds the text of each number of an odd record, its digits and, as a
// power of ten, what the digits are times.
func (d *decoder) numberTexts() string {
	texts, parts := []string{"*"}, []string{"*"}
	for _, n := range d.numbers {
		odd, t := "odd."+name(n.name), numberText(n.name)
		texts = append(texts, "CASE WHEN "+odd+" IS NOT NULL AND NOT is_variant_null("+odd+") THEN CAST("+odd+" AS STRING) END AS "+t)
		mantissa := "regexp_replace(" + t + ", '[-.]|[eE].*', '')"
		exponent := "CASE WHEN " + t + " RLIKE '[eE]' THEN CAST(try_cast(regexp_extract(" + t + ", '[eE](.*)', 1) AS INT) AS BIGINT) ELSE 0L END"
		proper := "CASE WHEN " + t + " RLIKE " + pattern(`\A`+reNumber+`\z`) + " THEN "
		parts = append(parts, proper+"trim(BOTH '0' FROM "+mantissa+") END AS "+numberDigits(n.name),
			proper+exponent+" - length(regexp_extract("+t+", '[.]([0-9]*+)', 1))\n    + length("+mantissa+") - length(trim(TRAILING '0' FROM "+mantissa+")) END AS "+numberPower(n.name))
	}
	return "SELECT\n" + columns(parts...) + "\n" + from("SELECT\n"+columns(texts...)+"\n"+from(d.read()))
}

func numberText(field string) string   { return name("text_" + field) }
func numberDigits(field string) string { return name("digits_" + field) }
func numberPower(field string) string  { return name("power_" + field) }

// column is the column of a field. No other column begins so.
func column(field string) string { return name("d_" + field) }

// parse is the value of a number's text times 10^places: exact, -1 where it is not
// whole then, is below 0 or has more digits than any that may be.
func (n numberField) parse() string {
	t, digits, power := numberText(n.name), numberDigits(n.name), numberPower(n.name)
	return "CASE WHEN " + t + " IS NULL THEN NULL WHEN " + digits + " = '' THEN 0L\n" +
		fmt.Sprintf("    WHEN %s IS NULL OR %s LIKE '-%%' OR %s < %d OR length(%s) + %s > %d THEN -1L\n", power, t, power, -n.places, digits, power, n.digits) +
		fmt.Sprintf("    ELSE CAST(rpad(%s, CAST(length(%s) + %s + %d AS INT), '0') AS BIGINT) END", digits, digits, power, n.places)
}

// bad says why a record is bad, or NULL.
func (d *decoder) bad(o options) string {
	var b strings.Builder
	when := func(condition, reason string) { fmt.Fprintf(&b, "\n    WHEN %s THEN %s", condition, reason) }
	id, kind, at := column("id"), column("type"), column("time")
	b.WriteString("CASE")
	when("value IS NULL", "'not a JSON object'")
	when(fmt.Sprintf("octet_length(value) > %d", liushui.MaxRecord), fmt.Sprintf("'the record has more than %d bytes'", liushui.MaxRecord))
	when("text IS NULL", "'not valid UTF-8'")
	when("plain IS NULL AND (odd IS NULL OR odd.`!` IS NOT NULL OR levels IS NULL)", "'not a JSON object'")
	when(fmt.Sprintf("levels > %d", liushui.MaxDepth), fmt.Sprintf("'more than %d levels'", liushui.MaxDepth))
	when(id+" IS NULL", "'id: not a string'")
	when(id+" = ''", "'id is missing'")
	when(fmt.Sprintf("octet_length(%s) > %d", id, liushui.MaxID), fmt.Sprintf("'id has more than %d bytes'", liushui.MaxID))
	when(kind+" IS NULL", "'type: not a string'")
	when("NOT "+kind+" IN ("+texts(liushui.EventTypes)+")", "'type is missing or none of "+strings.Join(liushui.EventTypes, " ")+"'")
	when(fmt.Sprintf("%s IS NULL OR %s < %dL", at, at, int64(liushui.MinTime)), "'time is missing, not a whole number or before the year 2000'")
	when(fmt.Sprintf("%s > %dL", at, int64(liushui.MaxTime)), "'time is after the year 9999'")
	if d.quantity {
		when(fmt.Sprintf("NOT %s BETWEEN 0L AND %dL", column("quantity"), int64(liushui.MaxQuantity)), fmt.Sprintf("'quantity is not a whole number in 0 to %d'", int64(liushui.MaxQuantity)))
	}
	if d.amount {
		when(fmt.Sprintf("NOT %s BETWEEN 0L AND %dL", column("amount"), int64(liushui.MaxAmount)), fmt.Sprintf("'amount is not a number of 4 places in 0 to %s'", liushui.MaxAmount))
	}
	for _, dim := range d.dims {
		when(column(dim)+" IS NULL", text(dim+": not a string"))
		when(fmt.Sprintf("char_length(%s) > %d", column(dim), liushui.MaxDimension), text(fmt.Sprintf("%s has more than %d characters", dim, liushui.MaxDimension)))
	}
	when(fmt.Sprintf("%s > unix_millis(timestamp) + %dL AND NOT coalesce(exists(headers, h -> h.key = 'feed' AND h.value IN (%s, %s)), false)",
		at, o.MaxAhead.Milliseconds(), bytesOf(liushui.FeedReplay), bytesOf(liushui.FeedDemo)),
		text(fmt.Sprintf("time is more than %s ahead of its record", o.MaxAhead)))
	b.WriteString("\n  END")
	return b.String()
}

// events is the query of the events.
func (d *decoder) events(o options) string {
	list := []string{column("id") + " AS id", "timestamp_millis(" + column("time") + ") AS event_time", column("time") + " AS time", column("type")}
	for _, dim := range d.dims {
		list = append(list, column(dim))
	}
	for _, n := range d.numbers[1:] {
		list = append(list, "coalesce("+column(n.name)+", 0L) AS "+column(n.name))
	}
	return "SELECT\n" + columns(list...) + "\n" + from(d.decoded(o)) + "\nWHERE bad IS NULL"
}

// letters is the query of the dead letters.
func (d *decoder) letters(o options) string {
	header := func(key, value string) string {
		return fmt.Sprintf("struct('%s' AS key, CAST(%s AS BINARY) AS value)", key, value)
	}
	headers := []string{
		header("reason", "'bad'"), header("detail", "bad"), header("engine", "'"+engineName+"'"),
		header("generation", fmt.Sprintf("'%d'", o.Generation)), header("time", "CAST(unix_millis(timestamp) AS STRING)"),
	}
	return "SELECT\n" + columns(
		"concat('[', substring(to_json(array(topic)), 2, length(to_json(array(topic))) - 2), ',', partition, ',', offset, ']') AS key",
		fmt.Sprintf("substring(value, 1, %d) AS value", liushui.MaxLetter),
		"concat(filter(coalesce(headers, array()), h -> h.key = 'feed'), array("+strings.Join(headers, ", ")+"),\n    "+
			fmt.Sprintf("IF(octet_length(value) > %d, array(%s), array())) AS headers", liushui.MaxLetter, header("bytes", "CAST(octet_length(value) AS STRING)")),
	) + "\n" + from(d.decoded(o)) + "\nWHERE bad IS NOT NULL"
}
