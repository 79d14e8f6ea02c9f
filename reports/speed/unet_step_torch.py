# U-Net step of the baseline: batch 4, 3x128x128, base 16, depth 4, nearest up, no norm/bias, loss mean of squares
import torch, time, torch.nn as nn, torch.nn.functional as F, sys
torch.set_num_threads(2); torch.manual_seed(0)
class U(nn.Module):
    def __init__(s, base=16, depth=4, cin=3, classes=4):
        super().__init__(); ch=[base*2**i for i in range(depth+1)]
        c=lambda i,o,k=3: nn.Conv2d(i,o,k,padding=k//2,bias=False)
        s.enc=nn.ModuleList(); p=cin
        for w in ch: s.enc.append(nn.ModuleList([c(p,w),c(w,w)])); p=w
        s.up=nn.ModuleList([c(ch[i+1],ch[i]) for i in reversed(range(depth))])
        s.dec=nn.ModuleList([nn.ModuleList([c(2*ch[i],ch[i]),c(ch[i],ch[i])]) for i in reversed(range(depth))])
        s.head=c(base,classes,1)
    def forward(s,x):
        sk=[]
        for i,(a,b) in enumerate(s.enc):
            if i: x=F.max_pool2d(x,2)
            x=F.relu(b(F.relu(a(x))));
            if i<len(s.enc)-1: sk.append(x)
        for u,(a,b) in zip(s.up,s.dec):
            x=u(F.interpolate(x,scale_factor=2,mode='nearest'))
            x=torch.cat([sk.pop(),x],1); x=F.relu(b(F.relu(a(x))))
        return s.head(x)
m=U(); print(sum(p.numel() for p in m.parameters()))
for fmt in (torch.channels_last, torch.contiguous_format):
    m=m.to(memory_format=fmt); x=torch.randn(4,3,128,128).to(memory_format=fmt)
    f=[];b=[]
    for i in range(25):
        t=time.perf_counter(); 
        with torch.no_grad(): m(x)
        t1=time.perf_counter(); m.zero_grad(); (m(x)**2).mean().backward(); t2=time.perf_counter()
        if i>4: f.append(t1-t); b.append(t2-t1)
    f.sort();b.sort(); print(fmt, "fwd %.1f fwd+bwd %.1f ms"%(f[10]*1e3,b[10]*1e3))
