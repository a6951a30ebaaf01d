package demo

// Fault is the fault of a backend.
type Fault uint8

const (
	NoFault     Fault = iota
	Refuse            // refuses new connections, and closes existing ones after their next answer
	BadGateway        // answers 502
	Unavailable       // answers 503 to one request in three
	CloseEarly        // closes the connection instead of responding
	CutHeader         // closes the connection within the response header
	Slow              // takes 200 ms longer
	Freeze            // accepts requests, including health checks, and answers when the freeze ends
	CloseIdle         // closes a connection when a request arrives after 5 ms without one
	Restart           // breaks all connections and refuses new ones
	SickHealth        // answers 500 only to health checks
	numFaults
)

var faults = [numFaults]string{
	NoFault:     "-",
	Refuse:      "refuses connections",
	BadGateway:  "answers 502",
	Unavailable: "503 to one in three",
	CloseEarly:  "closes, no answer",
	CutHeader:   "cuts the header",
	Slow:        "200 ms slower",
	Freeze:      "frozen",
	CloseIdle:   "closes idle ones",
	Restart:     "restarting",
	SickHealth:  "health check 500",
}

// String describes the fault in a few words.
func (f Fault) String() string { return faults[f] }

// listens reports whether a backend with this fault accepts connections.
func (f Fault) listens() bool { return f != Refuse && f != Restart }
