package liushui

import (
	"embed"
	"strings"
)

//go:embed mappings/*.yaml
var builtinMappings embed.FS

// BuiltinMapping returns the text of a built-in mapping.
func BuiltinMapping(name string) (text string, ok bool) {
	b, err := builtinMappings.ReadFile("mappings/" + name + ".yaml")
	return string(b), err == nil
}

// BuiltinMappings are the names of the built-in mappings, sorted.
func BuiltinMappings() []string {
	files, err := builtinMappings.ReadDir("mappings")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	return names
}

// ReadYAML reads text into a value strictly: an unknown key is an error that
// shows line and column.
func ReadYAML(text string, into any) error { return decodeStrict(text, into) }
