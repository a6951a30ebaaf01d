package e2e_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
	"golang.org/x/net/websocket"
)

const socketPage = `<!doctype html><title>socket</title><p id=out></p><script>
const out = text => document.querySelector("#out").innerText = text;
const s = new WebSocket("wss://" + location.host + "/chat?room=1", ["other", "chat"]);
const heard = [];
s.onopen = () => s.send("hello");
s.onmessage = m => { heard.push(m.data); if (heard.length == 2) s.close(1000); };
s.onclose = e => out(s.protocol + ": " + heard.join(", ") + "; closed " + e.code + " " + e.wasClean);
s.onerror = () => out("failed");
</script>`

// A real browser with an HTTP/2 connection opens its WebSocket on it.
func TestWebSocketOverHTTP2Chromium(t *testing.T) {
	t.Parallel()
	chromium := need(t, "chromium")
	socket := websocket.Server{
		Handshake: func(c *websocket.Config, _ *http.Request) error {
			c.Protocol = []string{"chat"}
			return nil
		},
		Handler: func(c *websocket.Conn) {
			websocket.Message.Send(c, "by "+c.Request().Header.Get("Via"))
			var text string
			for websocket.Message.Receive(c, &text) == nil {
				websocket.Message.Send(c, text)
			}
			c.WriteClose(1000)
		},
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/chat" {
			socket.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, socketPage)
	}))
	defer app.Close()
	g := startHTTP3(t, "    http3: {enabled: true}", `pools: {app: {upstreams: ["${APP}"]}}`, "APP="+app.URL)
	pin := sha256.Sum256(g.cert.Leaf.RawSubjectPublicKeyInfo)
	b := startBrowser(t, chromium, chromedp.Flag("disable-quic", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(pin[:])))
	b.run(chromedp.Navigate(g.url("/")))
	b.waitText("#out", "chat: by 2.0 goodgate, hello; closed 1000 true")
	e := g.waitLog("the WebSocket", func(e entry) bool { return e.Path == "/chat" })
	if e.Method != "GET" || e.Status != 101 || e.Reason != "" {
		t.Errorf("the log says %+v", e)
	}
}
