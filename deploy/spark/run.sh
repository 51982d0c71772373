# One part of a Spark cluster: run.sh master | worker | connect. The master is
# the host MASTER; HEAP is the part's own heap, MEMORY what a worker's executors share.
set -eu
part=$1
java() { exec /usr/bin/env java "-Xmx${HEAP:-512m}" @"$SPARK_HOME/java.options" "$@"; }
run() { java -cp "$SPARK_HOME/jars/*" "$@"; }
case $part in
master) run org.apache.spark.deploy.master.Master --host "$MASTER" --port 7077 --webui-port 8080 ;;
worker) run org.apache.spark.deploy.worker.Worker --cores "${CORES:-1}" --memory "${MEMORY:-1g}" --webui-port 8081 --work-dir "$PWD" "spark://$MASTER:7077" ;;
connect)
  java "-Dspark.app.name=liushui" "-Dspark.master=spark://$MASTER:7077" \
    "-Dspark.executor.memory=${EXECUTOR_MEMORY:-768m}" \
    "-Dspark.executor.extraJavaOptions=-Dlog4j2.configurationFile=$SPARK_HOME/log4j2.properties" \
    "-Dspark.sql.shuffle.partitions=${PARTITIONS:-2}" "-Dspark.sql.session.timeZone=UTC" \
    "-Dspark.connect.grpc.binding.address=0.0.0.0" "-Dspark.connect.grpc.binding.port=15002" \
    -cp "$SPARK_HOME/jars/*" org.apache.spark.sql.connect.service.SparkConnectServer
  ;;
*) echo "run.sh: want master, worker or connect, but got $part" >&2; exit 2 ;;
esac
