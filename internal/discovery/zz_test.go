package discovery
import ("testing";"strings";"time")
func TestZZ(t *testing.T){
 for name,unit := range map[string]string{"flow map in block":"- {url: 'http://10.0.0.1:80', weight: 3}\n","plain block":"- http://10.0.0.1:80\n","block map":"- url: http://10.0.0.1:80\n  weight: 3\n"} {
  for _,n := range []int{1000,2000,4000,8000,16000,24000} {
   d := []byte(strings.Repeat(unit,n)); if len(d)>maxFileSize {continue}
   s:=time.Now(); _,err:=parseFile(d,Target{}); t.Log(name,n,len(d),time.Since(s),err)
  }}
 for _,n := range []int{1000,4000,16000} {
   d := []byte("["+strings.Repeat("{\"url\": \"http://10.0.0.1:80\", \"weight\": 3},\n",n)+"]")
   s:=time.Now(); _,err:=parseFile(d,Target{}); t.Log("json",n,len(d),time.Since(s),err)
 }
 for name,unit := range map[string]string{"[":"[","{":"{","- ":"- ","? ":"? ","a: ":"a: ","nl":"\n","#":"#\n","- nl":"-\n","&a":"&a ","'":"'' ","{a":"{a,", "[]":"[],", "%":"%a\n","!":"!a ","tab":"\t"} {
  for _,n := range []int{1000,4000,9000,20000} {
   d := []byte(strings.Repeat(unit,n))
   s:=time.Now(); parseFile(d,Target{}); if e:=time.Since(s); e>20*time.Millisecond {t.Log(name,n,len(d),e)}
  }}
}
