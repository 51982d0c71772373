package enginetest

import "testing"

func TestScriptsOnThePlainEngine(t *testing.T) { Run(t, plainEngine("")) }
