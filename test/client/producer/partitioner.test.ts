/**
 * Golden vectors: printed by Apache Kafka 4.3.1 (`Utils.murmur2`, `BuiltInPartitioner.partitionForKey` for 7 and 100 partitions)
 * for texts and for bytes of `java.util.Random(42)`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { murmur2, partitionOfKey, StickyPartition } from '../../../src/client/producer/partitioner.ts'
import { seededRandom } from '../../../src/seams/random.ts'

const vectors: readonly [keyHex: string, murmur2: number, of7: number, of100: number][] = [
  ['', 275646681, 2, 81],
  ['61', -1563381124, 5, 24],
  ['6162', 316155434, 0, 34],
  ['616263', 479470107, 4, 7],
  ['61626364', -1323649548, 5, 0],
  ['3231', -973932308, 3, 40],
  ['666f6f626172', -790332482, 0, 66],
  ['612d6c6974746c652d6269742d6c6f6e672d737472696e67', -985981536, 1, 12],
  ['612d6c6974746c652d6269742d6c6f6e6765722d737472696e67', -1486304829, 0, 19],
  [
    '6c6b6a683233346c68396669756839307932336f697568736166756a6861646f66323239706872396831396838396838',
    -58897971,
    3,
    77,
  ],
  ['d0bad0bbd18ed187', 2122343024, 4, 24],
  ['6b65792d3132333435', -952703915, 0, 33],
  ['f78afe0de1bbe7ae28c0', -955700785, 5, 63],
  ['4bbb2bf1839dee466d85', -1232049923, 3, 25],
  ['9a0c6117bd6743e7dc978573998e685e885cb361f86c974620bebfb01100b276545718c30f406c', -1725058300, 2, 48],
  ['f11059eb6fbce62655', 527004922, 3, 22],
  ['d6d9f9bf52d83deedc0bf66205835ccc16ad682d8c478a26f450279849599b56dd', 1859023584, 5, 84],
  ['f27f72d37f', -19342484, 2, 64],
  ['fa959d2832a46196d92c3046', 444275329, 1, 29],
  ['026cc4a45eb32f92829e8d14ee827c94edc935', -838334355, 4, 93],
  ['ce2972cc9b060b', -1626382943, 6, 5],
  ['f3a3a0', -992430090, 1, 58],
  ['', 275646681, 2, 81],
  ['283ed5021192ed6a754300c523675af9b6c4a514cacaa1b6a736738853ee067b87849adf0100', -1721602125, 4, 23],
  ['8c', -1326909658, 5, 90],
  ['bcc00bd26fae51303f23fba277b4e0602cbf7e5e9ba8ec22daa9395cbb3cb06feaf2', -225569708, 2, 40],
  ['b5bb127579092bb2831b0279bb', -1364736296, 2, 52],
  ['', 275646681, 2, 81],
  ['3667cbd3ed4091091e01aa26a3d1750dfb4178d5d1a3e2c95da3d6759f5be1c2c790', 745772339, 4, 39],
  ['c6b52a321eac46580edde42d2e8a65f6', 1894489347, 2, 47],
  ['914f387b8934917ca07a548c5dcdc46ba917160239c103a2db67f4c18e', -1722509774, 3, 74],
  ['aa5db9501dfbfb1177b555921451ec577ca9fa5e105f6c4adb3d2fdfc7b360', 1020842743, 4, 43],
  ['3d236f400c2ec09dc6814b62dd03d65fbe626a1d8de47eb2786e90251df79a', 1250946131, 1, 31],
  ['f8b136', -1949138886, 0, 62],
  ['e5cd22cf0719e948223cc0a0', -157744965, 2, 83],
  ['a055', 1795461153, 3, 53],
  ['7c6f3a4e7854b9ff2181378a', 1523676347, 4, 47],
  ['bba296a2c5a3adb1', 442304133, 5, 33],
  ['63b8ba17bbd0507fa7ea6bcaa20ffe06f6b4a9aba00c570946defa', 1595358431, 2, 31],
  ['4ae498753e94b1a77bed00447df0506566bd', 2112985333, 4, 33],
  ['a6a2df2212db756276353fd171756fa5bece42fa4c', 1189775913, 4, 13],
  ['18', -73356581, 5, 67],
  ['49624d996480af482365ddf9cd937a9dacd9bb1373f1425c6a4f6ec6e604d75de8e56047', 1663846768, 3, 68],
  ['0a5232e619344f2ebdb9b35f93e6a6eb894d6a6e4955094702341355bc3251cd3d81', 1284167259, 4, 59],
  ['a5245771efa41820ed01b11893718265f05dc2bee32fcee2b876bd2b97', 917824261, 4, 61],
  ['4ac6414a3540c923d50450f0cc5ccb1747971f4cdb6deb068f9218a9a2a95f8c1c1e0041a325', 1216142861, 3, 61],
  ['f4c5adf728f93cfceb618de7539f08e695970c580fbcc7ba9d299903', -508679031, 2, 17],
  ['8d8f41cf3a315f0490a680853957974d1cc1ccd5', -1096194364, 3, 84],
  ['2ebe5d95a628ad6cfee430b027e1cadd56106f8eab9ef77aef', -90218403, 0, 45],
  ['8280a8', 818826594, 5, 94],
  ['700b28e50bbb7fe32cad60a0a6a13aa9cbd3f061e352c9b46df953e76653309755', -529710711, 4, 37],
  ['e70c9c423cb2f101f31c55f69431ffa3e5edc4', -690662970, 5, 78],
]

test('murmur2: the same number as Java for every key', () => {
  for (const [hex, expected] of vectors) assert.equal(murmur2(Buffer.from(hex, 'hex')), expected, hex)
})

test('partitionOfKey: the same partition as Java', () => {
  for (const [hex, , of7, of100] of vectors) {
    const key = Buffer.from(hex, 'hex')
    assert.deepEqual([partitionOfKey(key, 7), partitionOfKey(key, 100)], [of7, of100], hex)
  }
})

test('sticky partition: stays while a batch fills, moves on when it is full or has had its bytes', () => {
  const sticky = new StickyPartition(seededRandom(1), 1000)
  const available = [0, 1, 2, 3, 4, 5, 6, 7]
  const first = sticky.current(8, available)
  sticky.produced(500)
  assert.equal(sticky.next(false, 8, available), first, 'a batch that was sent early is no reason to move')
  sticky.produced(500)
  const moves = new Set<number>()
  for (let round = 0; round < 50; round++) {
    moves.add(sticky.next(round % 2 === 0, 8, available))
    sticky.produced(1000)
  }
  assert.equal(moves.size, 8, 'every partition has its turn')
})

test('sticky partition: only partitions with a leader are chosen, all of them when none has one', () => {
  const sticky = new StickyPartition(seededRandom(2), 1)
  for (let round = 0; round < 50; round++) {
    assert.ok([2, 5].includes(sticky.next(true, 8, [2, 5])))
  }
  const blind = new Set(Array.from({ length: 50 }, () => sticky.next(true, 3, [])))
  assert.deepEqual(blind, new Set([0, 1, 2]))
})
