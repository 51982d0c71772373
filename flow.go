package liushui

import (
	"context"
	"time"
)

// Names of the topics when no flag says otherwise.
const (
	TopicEvents      = "category"
	TopicResults     = "category_results"
	TopicDeadLetters = "category_deadletter"
)

// Record is bytes in Kafka. On reading, Key and Value stay valid for as long as
// they are held, or until their Fetch is done; nobody may change them.
type Record struct {
	Partition int32 // chosen by the key on writing
	Offset    int64 // set on reading
	Time      int64 // Kafka's time of the record, ms; set on reading
	Feed      string
	Key       []byte
	Value     []byte
	Headers   []Header // besides feed
}

// Header is a further header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Fetch is what one Poll brought: records of a partition in offset order.
type Fetch struct {
	Partition int32
	Records   []Record
	// Done, where not nil, may be called, once, when nothing of Records is used any
	// more, their bytes included: the memory is then used for other records.
	Done func()
}

// PartitionEnd is what is known of a partition's extent. At Asked, the clock
// time before the question was sent, the log reached from Start to End or
// further; so a reader that stands at End has read all that was there at Asked.
type PartitionEnd struct {
	Partition int32
	Start     int64
	End       int64
	Asked     time.Time // zero: never learned
}

// Reader reads one topic, each partition in offset order, reconnecting by itself.
// It is for one goroutine, but for Hold, Ends and Commit.
type Reader interface {
	// Poll waits for records, or until ctx is done (then ctx's error). Errors:
	// ErrGone (an offset is outside the log), ErrOtherTopic (it was made again).
	// Partitions that the topic gains are read from their start.
	Poll(ctx context.Context) ([]Fetch, error)
	// Hold stops the fetching of a partition, or lets it go on. Records that were
	// fetched already may still come.
	Hold(partition int32, held bool)
	// Ends returns what is known of each partition, learned anew about every half second.
	Ends() []PartitionEnd
	// Commit keeps offsets (the next to read) for a group, for others to see; it
	// is no resume point.
	Commit(ctx context.Context, group string, offsets map[int32]int64) error
	// TopicID names this very topic: one deleted and made again has another.
	TopicID() string
	Close()
}

// Writer writes records to one topic; records of one key stay in order.
type Writer interface {
	// Write hands over records and returns before they are acknowledged; it waits
	// while too many are under way. done, where given, is called once, from
	// another goroutine, when all of them are acknowledged or one has failed for good.
	Write(ctx context.Context, records []Record, done func(error)) error
	// Flush waits until all that was written is acknowledged. A lasting error is
	// returned by every later call.
	Flush(ctx context.Context) error
	Close()
}

// Engine computes a job's results from the topic of events until ctx is done,
// or until the input is exhausted where it was told so.
type Engine interface {
	Run(ctx context.Context) error
}

// Query asks for rows of one statistic and one window size.
type Query struct {
	Statistic string
	Window    string
	From, To  int64       // windows that begin in [From, To), ms; 0 = open
	Where     []Dimension // key fields that must equal
	By        string      // measure that Top orders by, highest first
	Top       int         // 0 = all, in the order of windows and keys
	Limit     int         // 0 = none
	Offset    int
	Newest    bool // with Limit: the newest windows first
}

// Row is a result as readers show it.
type Row struct {
	Result
	State State
}

// History is what a store kept, as the wall needs it.
type History interface {
	// View runs read with all that it sees taken at one moment.
	View(ctx context.Context, read func(Snapshot) error) error
}

// Snapshot is a store at one moment.
type Snapshot interface {
	// Position is the id of the results topic and the offset of the next record
	// that the store has not taken; the id is empty where it has taken none.
	Position() (topicID string, offset int64)
	// Retries is how often the store's newest run had tried a transaction again
	// when it wrote last; 0 for a database of a version that did not count.
	Retries(ctx context.Context) (int64, error)
	// Standing is what job and progress records said up to Position.
	Standing() *Standing
	// Rows returns the shown rows of a query: of each window, those of the
	// generation that Standing.Shown names. They have the form of the statistic
	// in Standing.Current's job: windows of an older generation that grouped by
	// other fields are left out, and a measure that it did not compute is null.
	Rows(ctx context.Context, q Query) ([]Row, error)
	// Corrections returns the rows of a query that changed after they were final,
	// those that changed last first. Top, By, Offset and Newest mean nothing here,
	// and no Window means all.
	Corrections(ctx context.Context, q Query) ([]Correction, error)
}
