// The 34 provincial regions: column and row in the 9 × 8 grid (a schematic
// position, no borders), the letter, and for English the code of GB/T 2260 and the name.

export interface Tile {
  name: string;
  column: number;
  row: number;
  letter: string;
  code: string;
  english: string;
}

const rows: [string, number, number, string, string, string][] = [
  ["黑龙江", 8, 0, "黑", "HL", "Heilongjiang"],
  ["内蒙古", 5, 1, "蒙", "NM", "Inner Mongolia"],
  ["辽宁", 7, 1, "辽", "LN", "Liaoning"],
  ["吉林", 8, 1, "吉", "JL", "Jilin"],
  ["新疆", 0, 2, "新", "XJ", "Xinjiang"],
  ["甘肃", 2, 2, "甘", "GS", "Gansu"],
  ["宁夏", 3, 2, "宁", "NX", "Ningxia"],
  ["山西", 5, 2, "晋", "SX", "Shanxi"],
  ["北京", 6, 2, "京", "BJ", "Beijing"],
  ["天津", 7, 2, "津", "TJ", "Tianjin"],
  ["青海", 2, 3, "青", "QH", "Qinghai"],
  ["陕西", 4, 3, "陕", "SN", "Shaanxi"],
  ["河南", 5, 3, "豫", "HA", "Henan"],
  ["河北", 6, 3, "冀", "HE", "Hebei"],
  ["山东", 7, 3, "鲁", "SD", "Shandong"],
  ["西藏", 1, 4, "藏", "XZ", "Xizang"],
  ["四川", 3, 4, "川", "SC", "Sichuan"],
  ["重庆", 4, 4, "渝", "CQ", "Chongqing"],
  ["湖北", 5, 4, "鄂", "HB", "Hubei"],
  ["安徽", 6, 4, "皖", "AH", "Anhui"],
  ["江苏", 7, 4, "苏", "JS", "Jiangsu"],
  ["上海", 8, 4, "沪", "SH", "Shanghai"],
  ["云南", 3, 5, "滇", "YN", "Yunnan"],
  ["贵州", 4, 5, "贵", "GZ", "Guizhou"],
  ["湖南", 5, 5, "湘", "HN", "Hunan"],
  ["江西", 6, 5, "赣", "JX", "Jiangxi"],
  ["浙江", 7, 5, "浙", "ZJ", "Zhejiang"],
  ["广西", 5, 6, "桂", "GX", "Guangxi"],
  ["广东", 6, 6, "粤", "GD", "Guangdong"],
  ["福建", 7, 6, "闽", "FJ", "Fujian"],
  ["台湾", 8, 6, "台", "TW", "Taiwan"],
  ["海南", 5, 7, "琼", "HI", "Hainan"],
  ["澳门", 6, 7, "澳", "MO", "Macao"],
  ["香港", 7, 7, "港", "HK", "Hong Kong"],
];

export const tiles: Tile[] = rows.map(([name, column, row, letter, code, english]) => ({ name, column, row, letter, code, english }));

export const tileOf = new Map(tiles.map((tile) => [tile.name, tile]));
