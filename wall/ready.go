package wall

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Ready asks the wall at host:port whether its board is loaded, over TLS where it
// speaks that; an error says why it is not. Nothing secret is asked or told, so
// the certificate is not looked at: it is that of a name, not of this machine.
func Ready(ctx context.Context, address string) error {
	status, text, err := answerOf(ctx, "http://"+address+"/readyz")
	if err == nil && status == http.StatusBadRequest { // what a server of TLS says to a request without
		status, text, err = answerOf(ctx, "https://"+address+"/readyz")
	}
	if err != nil {
		return fmt.Errorf("ask the wall at %s: %w", address, err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("the wall at %s: %s", address, text)
	}
	return nil
}

func answerOf(ctx context.Context, url string) (status int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	answer, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	return answer.StatusCode, strings.TrimSpace(string(body)), err
}
