package queue

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/fetchq/server/internal/database"
)

// channel is the one channel on which the nodes of a database speak to each other.
const channel = "fetchq"

// What nodes say.
const (
	sayWaiting = "waiting" // the node has picks that wait for documents of the queue
	sayPending = "pending" // documents of the queue became pending
	sayChanged = "changed" // the queue was paused, resumed, emptied or dropped
	sayFreed   = "freed"   // leases ended in a queue with limits
	// SQL says these without a node: where an operation is asked for, and where a worker is asked to go quiet, or is woken.
	sayOperation = "operation"
	sayQuiet     = "quiet"
)

// message is what one node tells the others, as JSON.
type message struct {
	Node     string `json:"node"`
	Say      string `json:"say"`
	Queue    string `json:"queue"`
	Version  int    `json:"version,omitempty"`
	Priority int    `json:"priority,omitempty"`
	Date     int64  `json:"date,omitempty"` // the lowest, microseconds since 1970
	Count    int    `json:"count,omitempty"`
}

const (
	tellEvery      = 50 * time.Millisecond // NOTIFY takes one lock a database at commit: many messages go in one
	waitEvery      = 20 * time.Second      // a node that goes on waiting says so again
	waitLasts      = 60 * time.Second      // what it said is forgotten then
	mostMessages   = 200                   // in one round; more are not told, and found by polling
	firstReconnect = time.Second
	lastReconnect  = 30 * time.Second
)

// peers tells other nodes what became pending, but only of queues for which one of them has said that it waits, and
// hears the same from them.
type peers struct {
	e      *Engine
	node   string
	url    string
	signal chan struct{}

	operations chan struct{} // holds one when there is an operation to look for

	mu      sync.Mutex
	waitsAt map[string]time.Time    // by queue: when a node last said that it waits
	said    map[string]time.Time    // by queue: when this node last said so
	pending map[pendingKey]*message // not told yet
	freed   map[string]int          // by queue: not told yet
	others  []message               // not told yet
}

type pendingKey struct {
	spot     spot
	priority int
}

// pending is what a call made pending: so many documents of one version and priority, the lowest date among them.
type pending struct {
	version, priority int
	date              time.Time
	count             int
}

func newPeers(e *Engine, node, url string) *peers {
	if url == "" {
		url = e.db.Config().ConnString()
	}
	return &peers{
		e: e, node: node, url: url, signal: make(chan struct{}, 1), operations: make(chan struct{}, 1),
		waitsAt: map[string]time.Time{}, said: map[string]time.Time{}, pending: map[pendingKey]*message{}, freed: map[string]int{},
	}
}

// note takes in what this node made pending in a queue: the marks first, then those who wait here, then other nodes.
func (e *Engine) note(queue string, made []pending) {
	if len(made) == 0 {
		return
	}
	lowest := map[pendingKey]pending{}
	for _, m := range made {
		key := pendingKey{spot{queue, m.version}, m.priority}
		have, seen := lowest[key]
		if !seen || m.date.Before(have.date) {
			have.date = m.date
		}
		have.count += m.count
		lowest[key] = have
	}
	for key, m := range lowest {
		e.marks.lower(key.spot, key.priority, m.date)
		e.hub.pushed(key.spot, m.count)
		e.peers.made(key, m.date, m.count)
	}
}

// freed lets those look again who wait for a queue that has limits, here and on other nodes: n leases of it ended.
func (e *Engine) freed(ctx context.Context, queue string, n int) {
	if n == 0 {
		return
	}
	if s, err := e.state(ctx, queue); err != nil || !s.limited {
		return // what cannot be read is found by looking every second
	}
	n = max(n-e.hub.freed(queue, n), 1) // one elsewhere all the same, so that those of one node do not get everything
	p := e.peers
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.e.now().Sub(p.waitsAt[queue]) <= waitLasts && (p.freed[queue] > 0 || len(p.freed) < mostMessages) {
		p.freed[queue] += n
		p.due()
	}
}

// made tells other nodes what became pending, if one of them waits for it.
func (p *peers) made(key pendingKey, date time.Time, count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.e.now().Sub(p.waitsAt[key.spot.queue]) > waitLasts {
		return
	}
	m := p.pending[key]
	if m == nil {
		if len(p.pending) >= mostMessages {
			return
		}
		m = &message{Say: sayPending, Queue: key.spot.queue, Version: key.spot.version, Priority: key.priority, Date: date.UnixMicro()}
		p.pending[key] = m
	}
	m.Date = min(m.Date, date.UnixMicro())
	m.Count += count
	p.due()
}

// wait tells other nodes that this one waits for documents of a queue.
func (p *peers) wait(queue string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.e.now(); now.Sub(p.said[queue]) > waitEvery {
		p.said[queue] = now
		p.say(message{Say: sayWaiting, Queue: queue})
	}
}

// changed tells other nodes that what they know about a queue is old.
func (p *peers) changed(queue string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.say(message{Say: sayChanged, Queue: queue})
}

// say keeps a message for the next round. The caller holds the lock.
func (p *peers) say(m message) {
	if len(p.others) < mostMessages {
		p.others = append(p.others, m)
		p.due()
	}
}

func (p *peers) due() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// tell sends what there is to say, at most every 50 ms, until ctx ends.
func (p *peers) tell(ctx context.Context) {
	again := time.NewTicker(waitEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			for _, s := range p.e.hub.waiting() {
				p.wait(s.queue)
			}
			continue
		case <-p.signal:
		}
		if err := p.send(ctx); err != nil && ctx.Err() == nil {
			p.e.log.Warn("other nodes were not told; they find out by polling", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(tellEvery):
		}
	}
}

func (p *peers) send(ctx context.Context) error {
	p.mu.Lock()
	messages := p.others
	for _, m := range p.pending {
		messages = append(messages, *m)
	}
	for queue, n := range p.freed {
		messages = append(messages, message{Say: sayFreed, Queue: queue, Count: n})
	}
	p.others, p.pending, p.freed = nil, map[pendingKey]*message{}, map[string]int{}
	p.mu.Unlock()
	texts := make([]string, len(messages))
	for i, m := range messages {
		m.Node = p.node
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		texts[i] = string(text)
	}
	_, err := p.e.db.Exec(ctx, `select pg_notify($1, m) from unnest($2::text[]) m`, channel, texts)
	return database.Error("notify other nodes", err)
}

// listen hears other nodes on a connection of its own, and connects again when that is lost, until ctx ends.
func (p *peers) listen(ctx context.Context) {
	for wait := firstReconnect; ; {
		began := p.e.now()
		err := p.listenOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if p.e.now().Sub(began) > lastReconnect {
			wait = firstReconnect
		}
		p.e.log.Warn("other nodes are not heard; picks that wait are woken by polling", "error", err, "retry_in", wait)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, lastReconnect)
	}
}

func (p *peers) listenOnce(ctx context.Context) error {
	conn, err := database.Connect(ctx, p.url, "fetchq listen")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `listen `+channel); err != nil {
		return err
	}
	// What was said while nobody listened is lost: look again.
	p.e.hub.wakeQueue("")
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		var m message
		if err := json.Unmarshal([]byte(n.Payload), &m); err != nil {
			continue // said by somebody else on our channel
		}
		if m.Node != p.node {
			p.hear(m)
		}
	}
}

// hear takes in what another node said.
func (p *peers) hear(m message) {
	switch m.Say {
	case sayWaiting:
		p.mu.Lock()
		p.waitsAt[m.Queue] = p.e.now()
		p.mu.Unlock()
	case sayPending:
		s := spot{m.Queue, m.Version}
		p.e.marks.lower(s, m.Priority, time.UnixMicro(m.Date))
		p.e.hub.pushed(s, m.Count)
	case sayChanged:
		p.e.forget(m.Queue)
	case sayOperation:
		select {
		case p.operations <- struct{}{}:
		default:
		}
	case sayQuiet:
		p.e.heardQuiet()
	case sayFreed:
		p.e.hub.freed(m.Queue, m.Count)
	}
}
