package http1

import (
	"net"
	"strings"
)

// script is a backend's behaviour at its first request: it writes a response in parts,
// and then closes the connection or answers further requests.
type script struct {
	name   string
	send   string
	method string // "" = GET
	end    func(*net.TCPConn)
	bytes  bool // every byte is its own write
	excess bool // it sends more than the response; http.Transport may read that as the next one

	// differs describes the difference of the outcome from http.Transport's; empty =
	// the same outcome.
	differs string
	kind    Kind // of our error, if fails
	fails   bool
	reused  bool
}

func fin(c *net.TCPConn) { c.Close() }

func rst(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

const (
	chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	maxHeader   = 8 << 10

	// why our outcome differs
	wantsOdd     = "framing that two readers could understand differently is accepted once, but not trusted again"
	wantsVersion = "only HTTP/1 is HTTP/1"
	wantsStatus  = "an http.Server panics when it is given such a status to relay"
	wantsName    = "a length is not a length for everybody if there is a space before the colon"
	wantsOld     = "an HTTP/1.0 response may hide a Transfer-Encoding, so its connection is not used again"
	wantsSwitch  = "a protocol is not switched unless the request asked for it"
	wantsSize    = "net/http takes chunks of sizes that no Content-Length could have"
	wantsDecoded = "net/http takes the lines of chunks in HTTP/1.0 for a part of the body"
	wantsBlank   = "net/http refuses blanks before a chunk's extension (RFC 9112, section 7.1.1)"
	wantsAsCame  = "net/http adds a Cache-Control to a Pragma, which is not a relay's to add"
	wantsTrailer = "trailers are bounded by MaxHeader, not by the size of a buffer"
)

var scripts = []script{
	// Lengths.
	{name: "length", send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello"},
	{name: "length 0", send: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{name: "byte by byte", send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", bytes: true},
	{name: "large body", send: "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("x", 300000)},
	{name: "until close", send: "HTTP/1.1 200 OK\r\n\r\nhello", end: fin},
	{name: "until close, nothing", send: "HTTP/1.1 200 OK\r\n\r\n", end: fin},
	{name: "until reset", send: "HTTP/1.1 200 OK\r\n\r\nhello", end: rst},
	{name: "length twice, the same", send: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"},
	{name: "length twice, not the same", send: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!"},
	{name: "length as a list", send: "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"},
	{name: "length with a sign", send: "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"},
	{name: "length negative", send: "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok"},
	{name: "length empty", send: "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok"},
	{name: "length too large for 63 bits", send: "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nok"},

	// Chunks.
	{name: "chunked", send: chunkedHead + "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"},
	{name: "chunked, byte by byte", send: chunkedHead + "5\r\nhello\r\n0\r\n\r\n", bytes: true},
	{name: "chunked, empty", send: chunkedHead + "0\r\n\r\n"},
	{name: "chunk extension", send: chunkedHead + "5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n"},
	{name: "trailer", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-None\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"},
	{name: "trailer, not announced", send: chunkedHead + "2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"},
	{name: "trailer, forbidden", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n"},
	{name: "trailer, malformed", send: chunkedHead + "2\r\nok\r\n0\r\nno colon\r\n\r\n"},
	{name: "trailer with bare LF", send: chunkedHead + "2\r\nok\r\n0\r\nX-Sum: 7\n\n", end: fin},
	{name: "trailer of 5 KiB", send: chunkedHead + "2\r\nok\r\n0\r\nX: " + strings.Repeat("x", 5<<10) + "\r\n\r\n", differs: wantsTrailer, reused: true},
	{name: "trailer of 20 KiB", send: chunkedHead + "2\r\nok\r\n0\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n"},
	{name: "chunk size malformed", send: chunkedHead + "xyz\r\nhello\r\n0\r\n\r\n"},
	{name: "chunk too long", send: chunkedHead + "2\r\nhello\r\n0\r\n\r\n"},
	{name: "chunk size too large", send: chunkedHead + "fffffffffffffffff\r\nhello\r\n"},
	{name: "chunked, then closed", send: chunkedHead + "5\r\nhel", end: fin},
	{name: "chunked, closed between chunks", send: chunkedHead + "5\r\nhello\r\n", end: fin},
	{name: "chunked, closed before the last line", send: chunkedHead + "5\r\nhello\r\n0\r\n", end: fin},
	{name: "chunked, then reset", send: chunkedHead + "5\r\nhel", end: rst},
	{name: "chunked and length", send: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", differs: wantsOdd},
	{name: "chunked twice", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{name: "gzip, chunked", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
	{name: "identity", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok"},
	{name: "encoding with a vertical tab", send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"},

	// No body.
	{name: "HEAD", method: "HEAD", send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
	{name: "HEAD without a length", method: "HEAD", send: "HTTP/1.1 200 OK\r\n\r\n"},
	{name: "HEAD, chunked", method: "HEAD", send: chunkedHead},
	{name: "HEAD with a body", method: "HEAD", send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", excess: true},
	{name: "204", send: "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n"},
	{name: "204 with a length", send: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", differs: wantsOdd},
	{name: "204 with a body", send: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", excess: true},
	{name: "204, chunked", send: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", excess: true},
	{name: "304", send: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n"},

	// Informational responses.
	{name: "103", send: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + okResponse},
	{name: "100 and 102", send: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + okResponse},
	{name: "103 with a length", send: "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + okResponse},
	{name: "103, then closed", send: "HTTP/1.1 103 Early Hints\r\n\r\n", end: fin},
	{name: "101 out of nowhere", send: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", differs: wantsSwitch, fails: true, kind: Malformed},

	// Lines.
	{name: "bare LF", send: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"},
	{name: "folded field", send: "HTTP/1.1 200 OK\r\nX-A: 1\r\n  2\r\nContent-Length: 2\r\n\r\nok"},
	{name: "first field folded", send: "HTTP/1.1 200 OK\r\n X-A: 1\r\nContent-Length: 2\r\n\r\nok"},
	{name: "space before the colon", send: "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", end: fin, differs: wantsName, fails: true, kind: Malformed},
	{name: "no colon", send: "HTTP/1.1 200 OK\r\nhello\r\n\r\n"},
	{name: "empty field name", send: "HTTP/1.1 200 OK\r\n: hello\r\n\r\n"},
	{name: "NUL in a value", send: "HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 2\r\n\r\nok"},
	{name: "Pragma", send: "HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 0\r\n\r\n", differs: wantsAsCame, reused: true},
	{name: "no reason phrase", send: "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"},
	{name: "unknown status", send: "HTTP/1.1 799 Odd\r\nContent-Length: 2\r\n\r\nok"},
	{name: "status of two digits", send: "HTTP/1.1 20 OK\r\n\r\n"},
	{name: "status below 100", send: "HTTP/1.1 042 Odd\r\nContent-Length: 2\r\n\r\nok", differs: wantsStatus, fails: true, kind: Malformed},
	{name: "garbage", send: "garbage\r\n\r\n"},
	{name: "garbage without a line", send: "garbage", end: fin},
	{name: "HTTP/2 preface", send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	{name: "HTTP/2 settings", send: "\x00\x00\x00\x04\x00\x00\x00\x00\x00", end: fin},
	{name: "HTTP/2.0 in text", send: "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", differs: wantsVersion, fails: true, kind: Malformed},
	{name: "HTTP/0.9", send: "HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nok", differs: wantsVersion, fails: true, kind: Malformed},

	// Sizes.
	{name: "header too large", send: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxHeader) + "\r\n\r\n"},
	{name: "header just small enough", send: "HTTP/1.1 204 OK\r\nX: " + strings.Repeat("x", maxHeader-64) + "\r\n\r\n"},
	{name: "header without an end", send: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", maxHeader)},
	{name: "103s that are too large together", send: strings.Repeat("HTTP/1.1 103 E\r\nX: "+strings.Repeat("x", maxHeader/2)+"\r\n\r\n", 4) + okResponse},

	// Ends.
	{name: "closed at once", end: fin},
	{name: "reset at once", end: rst},
	{name: "closed in the status line", send: "HTTP/1.1 2", end: fin},
	{name: "closed in the header", send: "HTTP/1.1 200 OK\r\nContent-", end: fin},
	{name: "reset in the header", send: "HTTP/1.1 200 OK\r\nContent-", end: rst},
	{name: "closed in the body", send: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", end: fin},
	{name: "reset in the body", send: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", end: rst},
	{name: "closed after the body", send: okResponse, end: fin},
	{name: "reset after the body", send: okResponse, end: rst},
	{name: "junk behind the body", send: okResponse + "junk", excess: true},
	{name: "a response behind the body", send: okResponse + okResponse, excess: true},
	{name: "a response behind a 204", send: "HTTP/1.1 204 No Content\r\n\r\n" + okResponse, excess: true},

	// Keep-alive.
	{name: "Connection: close", send: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"},
	{name: "Connection: CLOSE, x", send: "HTTP/1.1 200 OK\r\nConnection: CLOSE, x\r\nContent-Length: 2\r\n\r\nok"},
	{name: "Connection: keep-alive", send: "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"},
	{name: "HTTP/1.0", send: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{name: "HTTP/1.0, keep-alive", send: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", differs: wantsOld},
	{name: "HTTP/1.0, until close", send: "HTTP/1.0 200 OK\r\n\r\nhello", end: fin},
	// simpletest/simpletest#22, boostorg/beast#3096
	{name: "HTTP/1.0, chunked", send: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", end: fin, differs: wantsDecoded},
	{name: "HTTP/1.0, two codings", send: "HTTP/1.0 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", end: fin, differs: wantsDecoded, fails: true, kind: Malformed},
	{name: "chunk extension behind a blank", send: chunkedHead + "2 ;a=b\r\nok\r\n0\t;c\r\n\r\n", differs: wantsBlank, reused: true},
	{name: "chunk of 2^63 bytes", send: chunkedHead + "8000000000000000\r\nok", end: fin, differs: wantsSize},
}
