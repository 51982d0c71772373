package wall

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Ready asks the wall at host:port whether its board is loaded; an error says
// why it is not.
func Ready(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("ask the wall at %s: %w", address, err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask the wall at %s: %w", address, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("ask the wall at %s: %w", address, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the wall at %s: %s", address, strings.TrimSpace(string(text)))
	}
	return nil
}
