package spark

import (
	"fmt"
	"regexp"
	"strings"
)

// plainText is what may stand in quotes whatever the session's rules of escaping
// and of variables are.
var plainText = regexp.MustCompile(`^[\p{L}\p{N}_. ,:/!"()\[\]{}` + "`" + `-]*$`)

// text is a SQL expression of any text: a literal where nothing in it could mean
// something to SQL, its bytes in hex else.
func text(s string) string {
	if plainText.MatchString(s) {
		return "'" + s + "'"
	}
	return fmt.Sprintf("CAST(X'%X' AS STRING)", s)
}

// bytesOf is a SQL expression of a text's bytes.
func bytesOf(s string) string { return fmt.Sprintf("X'%X'", s) }

// name is an identifier.
func name(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// texts is a list of texts.
func texts(all []string) string {
	parts := make([]string, len(all))
	for i, s := range all {
		parts[i] = text(s)
	}
	return strings.Join(parts, ", ")
}

// pattern is a regular expression as a raw literal. It is ours, never a job's.
func pattern(s string) string {
	if strings.ContainsAny(s, "'\n") || strings.Contains(s, "${") {
		panic("spark: no raw literal: " + s)
	}
	return "r'" + s + "'"
}

// columns joins the columns of a SELECT, one a line.
func columns(all ...string) string { return "  " + strings.Join(all, ",\n  ") }

// indent moves a subquery to the right.
func indent(sql string) string { return "  " + strings.ReplaceAll(sql, "\n", "\n  ") }

// from nests a query.
func from(sql string) string { return "FROM (\n" + indent(sql) + "\n)" }
