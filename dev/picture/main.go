// Command picture takes the picture of a running wall that the READMEs show:
//
//	go run ./dev/picture http://127.0.0.1:8080/ docs/images/wall.png
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/chromedp/chromedp"
)

// settle is how long the page gets before its picture is taken.
const settle = 5 * time.Second

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "picture: want URL FILE")
		os.Exit(2)
	}
	if err := take(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func take(url, file string) error {
	allocator, end := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU)...)
	defer end()
	ctx, leave := chromedp.NewContext(allocator)
	defer leave()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1920, 1080), chromedp.Navigate(url), chromedp.Sleep(settle)); err != nil {
		return fmt.Errorf("open %s: %w", url, err)
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return fmt.Errorf("take the picture: %w", err)
	}
	return os.WriteFile(file, png, 0o644)
}
