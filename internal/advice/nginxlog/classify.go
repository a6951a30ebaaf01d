package nginxlog

import "bytes"

// messageHead is the longest beginning of a message in which a marker is looked
// for.
const messageHead = 600

// errno values of Linux, as nginx prints them.
const (
	enoent        = 2
	eagain        = 11
	eacces        = 13
	emfile        = 24
	enfile        = 23
	epipe         = 32
	eaddrinuse    = 98
	eaddrnotavail = 99
	enetunreach   = 101
	econnreset    = 104
	etimedout     = 110
	econnrefused  = 111
	ehostunreach  = 113
)

// message returns what a line says, after its time, level and ids; nil when it
// is not a line of an error log.
func message(line []byte) []byte {
	const stamp = len("2006/01/02 15:04:05 [")
	if len(line) < stamp+8 || line[4] != '/' || line[7] != '/' || line[stamp-1] != '[' {
		return nil
	}
	rest := line[stamp:]
	i := bytes.IndexByte(rest, ']')
	if i < 0 || i > 8 {
		return nil
	}
	rest = rest[i+1:]
	i = bytes.IndexByte(rest, ':')
	if i < 0 || i+2 > len(rest) || i > 32 { // "1234#1234:"
		return nil
	}
	rest = bytes.TrimLeft(rest[i+1:], " ")
	if len(rest) > 0 && rest[0] == '*' { // the connection's number
		i = bytes.IndexByte(rest, ' ')
		if i < 0 {
			return nil
		}
		rest = rest[i+1:]
	}
	return rest
}

// classify says what the head of a message is about.
func classify(m []byte) Cause {
	if len(m) == 0 {
		return Other
	}
	switch m[0] {
	case 'u':
		return classifyUpstream(m)
	case 'c':
		return classifyConnect(m)
	case 'r', 's', 'w', 'S', 'p', 'a', 'o', 'b':
		return classifyCall(m)
	case 'n', 'l', 'e', 'g':
		return classifyWord(m)
	}
	if m[0] >= '0' && m[0] <= '9' && has(m, " worker_connections are not") {
		return WorkerConnections
	}
	return classifyName(m)
}

func starts(m []byte, prefix string) bool {
	return len(m) >= len(prefix) && string(m[:len(prefix)]) == prefix
}

func has(m []byte, marker string) bool { return bytes.Contains(m, []byte(marker)) }

// cut divides a message where nginx adds ", client: ": what follows is about
// the request, and holds the client's words.
func cut(m []byte) (head, rest []byte) {
	limited := m[:min(len(m), messageHead)]
	if i := bytes.Index(limited, []byte(", client: ")); i >= 0 {
		return m[:i], m[i:]
	}
	return limited, m
}

func classifyUpstream(m []byte) Cause {
	switch {
	case starts(m, "upstream timed out"):
		return timedOut(m)
	case starts(m, "upstream prematurely closed connection"):
		if has(m, "while reading upstream") || has(m, "while sending to client") {
			return ClosedInBody
		}
		return ClosedBeforeAnswer
	case starts(m, "upstream sent too big header"):
		return HeaderTooBig
	case starts(m, "upstream sent no valid"), starts(m, "upstream sent invalid"), starts(m, "upstream sent duplicate header"),
		starts(m, "upstream sent \"Transfer-Encoding\""), starts(m, "upstream sent unexpected"), starts(m, "upstream sent unsupported"):
		return InvalidResponse
	case starts(m, "upstream SSL certificate"):
		return TLSCertificate
	}
	return classifyName(m) // "upstream.example could not be resolved"
}

func timedOut(m []byte) Cause {
	switch {
	case has(m, "while connecting to upstream"):
		return ConnectTimeout
	case has(m, "while reading response header"):
		return ResponseTimeout
	case has(m, "while SSL handshaking"):
		return TLSHandshake
	case has(m, "while sending request"):
		return SendTimeout
	}
	return ResponseStalled
}

func classifyConnect(m []byte) Cause {
	switch {
	case starts(m, "connect() failed ("), starts(m, "connect() to "):
		return connectFailed(errno(m), starts(m, "connect() to unix:"))
	case starts(m, "client intended to send too large"):
		return BodyTooLarge
	case starts(m, "client prematurely closed"), starts(m, "client closed"):
		return ClientGone
	}
	return classifyName(m)
}

func connectFailed(errno int, socket bool) Cause {
	switch errno {
	case econnrefused:
		return ConnectRefused
	case etimedout:
		return ConnectTimeout
	case ehostunreach, enetunreach:
		return ConnectUnreachable
	case eaddrnotavail:
		return NoLocalPort
	case enoent:
		return SocketMissing
	case eagain:
		return SocketBacklog
	case emfile, enfile:
		return OpenFiles
	case eacces:
		if socket {
			return SocketForbidden
		}
		return ConnectForbidden
	case econnreset, epipe:
		return ResetBeforeAnswer
	}
	return ConnectUnreachable
}

// classifyCall is for messages that begin with the system call that failed.
func classifyCall(m []byte) Cause {
	switch {
	case starts(m, "recv() failed ("), starts(m, "readv() failed ("):
		return receiveFailed(m)
	case starts(m, "send() failed ("), starts(m, "writev() failed ("), starts(m, "sendfile() failed ("):
		if has(m, "to upstream") {
			return ClosedWhileSending
		}
		return ClientGone
	case starts(m, "SSL_do_handshake() failed"), starts(m, "peer closed connection in SSL handshake"):
		if has(m, "handshaking to upstream") {
			return TLSHandshake
		}
		return Other // the client's handshake
	case starts(m, "socket() failed ("), starts(m, "accept4() failed ("), starts(m, "accept() failed ("), starts(m, "open() "), starts(m, "pipe() failed ("):
		if n := errno(m); n == emfile || n == enfile {
			return OpenFiles
		}
		return Other
	case starts(m, "an upstream response is buffered"):
		return ResponseBuffered
	case starts(m, "a client request body is buffered"):
		return RequestBuffered
	case starts(m, "bind() to "):
		if errno(m) == eaddrinuse {
			return AddressInUse
		}
		return Other
	case starts(m, "rewrite or internal redirection cycle"):
		return RedirectCycle
	}
	return classifyName(m)
}

func receiveFailed(m []byte) Cause {
	switch {
	case !has(m, "upstream"):
		return ClientGone
	case has(m, "while reading upstream"):
		return ClosedInBody
	case errno(m) == etimedout:
		return ResponseTimeout
	}
	return ResetBeforeAnswer
}

func classifyWord(m []byte) Cause {
	switch {
	case starts(m, "no live upstreams"):
		return NoLiveUpstreams
	case starts(m, "no resolver defined to resolve"):
		return NoResolver
	case starts(m, "limiting requests"), starts(m, "limiting connections"):
		return Limited
	case starts(m, "epoll_wait() reported that client prematurely closed"):
		return ClientGone
	case starts(m, "getsockopt("):
		return Other
	}
	return classifyName(m)
}

// classifyName is for the messages that begin with a name: "app.internal could
// not be resolved (3: Host not found)".
func classifyName(m []byte) Cause {
	const marker = " could not be resolved ("
	_, after, ok := bytes.Cut(m, []byte(marker))
	switch {
	case ok && bytes.HasPrefix(after, []byte("110:")):
		return ResolveTimeout
	case ok:
		return NotResolved
	case starts(m, "host not found in upstream"):
		return NotResolved
	}
	return Other
}

// errno reads the number in "failed (111: Connection refused)", 0 when there is
// none.
func errno(m []byte) int {
	const marker = "failed ("
	_, after, ok := bytes.Cut(m, []byte(marker))
	if !ok {
		return 0
	}
	return int(number(after))
}

// number reads the digits at the beginning.
func number(b []byte) int64 {
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' || n > 1<<53 {
			break
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
