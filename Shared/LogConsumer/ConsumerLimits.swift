/// What bounds a consumer of the log.
package struct ConsumerLimits: Sendable {
  /// The name of this consumer's cursors.
  package var consumer: String
  package var batchRecordsMax = 2000
  /// A batch is about this large at most; a single larger record is a batch of its own.
  package var batchBytesMax = 16 << 20
  /// How long a read waits for something new; also how long a shard may be held on to after it is another's.
  package var readWait = Duration.milliseconds(500)
  /// How often a worker looks whether another has come or gone.
  package var shareInterval = Duration.seconds(1)
  /// How often the log is trimmed through the slowest consumer; nil leaves it to others.
  package var trimInterval: Duration?
  /// Sessions with PostgreSQL, each with its share of the shards.
  package var workers = 2

  package init(consumer: String) { self.consumer = consumer }
}
