package main

import (
	"testing"

	"liushui"
	"liushui/dev"
)

// TestResultsMadeAgain deletes the topic of results while the line is at work
// and makes it again. Engine and store stop by name, now and at their next start;
// produce and the wall go on; and the mends that are named bring all of it back.
func TestResultsMadeAgain(t *testing.T) {
	for _, kafka := range []string{"embedded", "apache"} {
		t.Run(kafka, func(t *testing.T) {
			t.Parallel()
			p := makePayments(t, 3000)
			l := newLine(t)
			if kafka == "apache" {
				l.kafka = dev.StartKafka(t, dev.KafkaConfig{}).Addrs()
			} else {
				l.open("broker")
			}
			l.start("process", "store", "serve")
			produce := launch(t, append([]string{"produce", "--brokers", l.kafka, "--data", l.data, "--partitions", "2", "--rate", "500/s"}, p.feed...)...)
			eventually(t, "some of it is judged", func() bool { return l.account().Read > 800 })
			dev.Administer(t, l.kafka).Delete(liushui.TopicResults)
			l.makeTopic(liushui.TopicResults, 1)

			l.stopsByItself("process", "topic category_results", "`liushui process --from earliest` computes them anew")
			l.stopsByItself("store", "topic category_results", "`liushui store --adopt` drops")
			l.refused(l.args("process"), "topic category_results was deleted and made again", "`liushui process --from earliest` computes them anew")
			l.refused(l.args("store"), "holds rows of another log", "`store --adopt` drops them")
			l.running["serve"].says("the wall goes on with the new topic")
			produce.says("events are still sent")
			l.stop("serve")
			l.start("serve")
			l.running["serve"].says("the wall goes on with the new topic")

			l.running["process"] = launch(t, append(l.args("process"), "--from", "earliest")...)
			l.running["store"] = launch(t, append(l.args("store"), "--adopt")...)
			<-produce.done
			if produce.code != exitFine {
				t.Errorf("produce exits with %d: %s", produce.code, produce.errOut.String())
			}
			eventually(t, "the tables have all that was paid", func() bool { return l.paid() == p.paid.String() })
			l.awaitFinal()
			l.awaitTheWall(`"ended":true`)
			l.stop("process")
			eventually(t, "the store has all", func() bool { return l.run("reconcile", "--data", l.data).code == exitFine })
			l.stop("store", "serve")
			compareWithOracle(t, l.topics(), databaseIn(l.data), shop(t), 0)
		})
	}
}
