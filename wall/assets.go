package wall

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed all:dist
var dist embed.FS

// loginFile is a template, and no file of the page.
const loginFile = "/login.html"

// asset is a file of the page, held in memory.
type asset struct {
	body     []byte
	kind     string        // Content-Type
	cache    string        // Cache-Control
	etag     string        // of body, quoted
	deflated func() []byte // gzip of body, nil where that does not pay
}

// kinds are set here, as the machine's own table may say otherwise.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2",
	".json": "application/json", ".webmanifest": "application/manifest+json", ".txt": "text/plain; charset=utf-8",
}

// readAssets reads the embedded page by request path, and a hash that names it.
func readAssets() (map[string]*asset, string, error) {
	assets := map[string]*asset{}
	whole := sha256.New()
	err := fs.WalkDir(dist, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		whole.Write([]byte(name))
		whole.Write(body)
		assets[strings.TrimPrefix(name, "dist")] = newAsset(name, body)
		return nil
	})
	if index := assets["/index.html"]; index != nil {
		index.cache = "no-store"
		assets["/"] = index
	}
	delete(assets, loginFile)
	return assets, hex.EncodeToString(whole.Sum(nil)[:4]), err
}

func newAsset(name string, body []byte) *asset {
	sum := sha256.Sum256(body)
	a := &asset{body: body, kind: kinds[path.Ext(name)], cache: "no-cache", etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
	if a.kind == "" {
		if a.kind = mime.TypeByExtension(path.Ext(name)); a.kind == "" {
			a.kind = "application/octet-stream"
		}
	}
	if strings.HasPrefix(name, "dist/assets/") { // names with a hash of the content
		a.cache = "public, max-age=31536000, immutable"
	}
	if strings.HasPrefix(a.kind, "text/") || strings.Contains(a.kind, "json") || strings.Contains(a.kind, "svg") {
		a.deflated = sync.OnceValue(func() []byte {
			var out bytes.Buffer
			z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
			z.Write(body)
			z.Close()
			return out.Bytes()
		})
	}
	return a
}

// page serves the files of the page.
func (w *Wall) page(out http.ResponseWriter, r *http.Request) {
	a := w.assets[r.URL.Path]
	if a == nil {
		plain(out, http.StatusNotFound, "There is no such page. The wall is at /, the API at /api/v1/statistics.")
		return
	}
	header := out.Header()
	header.Set("Content-Type", a.kind)
	header.Set("Cache-Control", a.cache)
	header.Set("Etag", a.etag)
	if a.deflated == nil {
		http.ServeContent(out, r, "", noTime, bytes.NewReader(a.body))
		return
	}
	header.Set("Vary", "Accept-Encoding")
	body := a.body
	if acceptsGzip(r) {
		header.Set("Content-Encoding", "gzip")
		header.Set("Etag", strings.TrimSuffix(a.etag, `"`)+`-gzip"`)
		body = a.deflated()
	}
	http.ServeContent(out, r, "", noTime, bytes.NewReader(body))
}
