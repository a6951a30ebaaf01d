package nginxlog

import "bytes"

// after returns the text between a marker and an end byte; nil without the marker.
func after(line []byte, marker string, end byte) []byte {
	i := bytes.Index(line, []byte(marker))
	if i < 0 {
		return nil
	}
	rest := line[i+len(marker):]
	if i = bytes.IndexByte(rest, end); i < 0 {
		return rest // nginx cuts lines at 2,048 bytes
	}
	return rest[:i]
}

// upstreamOf splits the upstream field into the upstream (scheme and address) and the
// requested path, without the query.
func upstreamOf(field []byte) (upstream, path []byte) {
	scheme := bytes.Index(field, []byte("://"))
	if scheme < 0 {
		return field, nil
	}
	rest := field[scheme+3:]
	if bytes.HasPrefix(rest, []byte("unix:")) { // http://unix:/path.sock:/uri
		end := bytes.IndexByte(rest[5:], ':')
		if end < 0 {
			return rest, nil
		}
		return rest[:5+end], withoutQuery(rest[5+end+1:])
	}
	slash := bytes.IndexByte(rest, '/')
	if slash < 0 {
		return field, nil
	}
	return field[:scheme+3+slash], withoutQuery(rest[slash:])
}

func withoutQuery(path []byte) []byte {
	if before, _, ok := bytes.Cut(path, []byte{'?'}); ok {
		return before
	}
	return path
}

// nameOf returns the name in a message of the resolver.
func nameOf(c Cause, m []byte) []byte {
	switch c {
	case NoResolver:
		return bytes.TrimPrefix(m, []byte("no resolver defined to resolve "))
	case NotResolvedAtStart:
		return after(m, `upstream "`, '"')
	}
	if of := after(m, " of ", ' '); of != nil { // "service http of app could not be ..."
		return of
	}
	name, _, _ := bytes.Cut(m, []byte(" "))
	return name
}

// requested returns the path of the request line, without its query.
func requested(rest []byte) []byte {
	line := after(rest, ` request: "`, '"')
	if len(line) == 0 {
		return nil
	}
	return pathOf(line)
}
