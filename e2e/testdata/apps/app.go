// The app server of the tests, in Go. All three say the same on the wire; only
// this one also upgrades connections.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	name, address := os.Args[1], os.Args[2]
	if name == "check" { // the HEALTHCHECK of a container
		if res, err := http.Get(address); err != nil || res.StatusCode != http.StatusOK {
			os.Exit(1)
		}
		return
	}
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
		os.Remove(path) // of the process before
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(number(os.Getenv("HEALTH_STATUS"), http.StatusOK))
	})
	http.HandleFunc("/tunnel", tunnel)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { answer(w, r, name) })
	log.Fatal(http.Serve(ln, nil))
}

func number(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return otherwise
}

// answer says what was asked, so that the client can tell that it got its own
// answer.
func answer(w http.ResponseWriter, r *http.Request, name string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	query := r.URL.Query()
	if query.Has("wait") {
		fmt.Println("began", r.Method, r.RequestURI)
	}
	wait := number(query.Get("wait"), number(os.Getenv("DELAY_MS"), 0))
	select {
	case <-time.After(time.Duration(wait) * time.Millisecond):
	case <-r.Context().Done():
		return
	}
	headers := map[string]string{"host": r.Host}
	for key, values := range r.Header {
		headers[strings.ToLower(key)] = strings.Join(values, ", ")
	}
	text, _ := json.Marshal(map[string]any{
		"app": name, "method": r.Method, "target": r.RequestURI, "headers": headers, "body": string(body),
	})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-App", name)
	w.WriteHeader(number(query.Get("status"), http.StatusOK))
	if pause := number(query.Get("trickle"), 0); pause > 0 {
		http.NewResponseController(w).Flush()
		time.Sleep(time.Duration(pause) * time.Millisecond)
	}
	w.Write(text)
}

// tunnel switches to a protocol that echoes, as a WebSocket would.
func tunnel(w http.ResponseWriter, r *http.Request) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	protocol := cmp.Or(r.Header.Get("Upgrade"), "echo")
	io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+protocol+"\r\n\r\n")
	lines := bufio.NewScanner(rw)
	for lines.Scan() {
		io.WriteString(c, lines.Text()+"\n")
	}
}
