package source

import "strings"

// provinces are the 34 short names by their first two characters, which are
// all different: 内蒙古 and 黑龙江 are the two names of three.
var provinces = func() map[string]string {
	byStart := map[string]string{"臺灣": "台湾", "廣東": "广东", "廣西": "广西"}
	for _, name := range strings.Fields(`北京 天津 上海 重庆 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北
		湖南 广东 海南 四川 贵州 云南 陕西 甘肃 青海 台湾 内蒙古 广西 西藏 宁夏 新疆 香港 澳门`) {
		byStart[name[:twoCharacters]] = name
	}
	return byStart
}()

const twoCharacters = 6 // bytes of UTF-8

// shortProvince brings 江苏省, 上海市, 内蒙古自治区, 香港特别行政区 and whole
// addresses that begin with a province to one of the 34 short names. Anything
// else is unknown.
func shortProvince(s string) string {
	s = strings.TrimPrefix(strings.TrimSpace(s), "中国")
	if len(s) < twoCharacters {
		return ""
	}
	return provinces[s[:twoCharacters]]
}
